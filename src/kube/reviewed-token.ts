import { isRecord } from "../api/fields.ts";

/** Whose token it is: the ServiceAccount, and the pod that the token is bound to. */
export interface TokenOwner {
	readonly namespace: string;
	readonly serviceAccount: string;
	/** Empty when the token is bound to no pod and needs none. */
	readonly podName: string;
	/** Empty when the token is bound to no pod and needs none. */
	readonly podUid: string;
}

/**
 * What is known about a token. A refusal, and why it could not be checked, are
 * sentences for the log and the bearer; they never hold the token.
 */
export type TokenVerdict =
	| {
			readonly owner: TokenOwner;
			/** Milliseconds since the epoch at which the token ends by itself; undefined when it does not say. */
			readonly expiresMs: number | undefined;
	  }
	| { readonly refusal: string }
	| { readonly unavailable: string };

/** Longer text is not looked at: a bound token has about 1 KB. */
const maxTokenLength = 16 * 1024;

/** Of the API server's words. */
const maxReason = 300;

const podClaim = "authentication.kubernetes.io/pod-name";
const podUidClaim = "authentication.kubernetes.io/pod-uid";

/** What a token says about itself; nothing of it is proven. */
export interface TokenClaims {
	readonly audiences: readonly string[];
	readonly expiresMs: number | undefined;
}

/** The claims of a JSON Web Token, or undefined for what is none. */
export function parseTokenClaims(token: string): TokenClaims | undefined {
	const [, payload] =
		token.length <= maxTokenLength
			? (/^[\w-]+\.([\w-]+)\.[\w-]+$/.exec(token) ?? [])
			: [];
	if (payload === undefined) return undefined;
	const claims = parseJson(Buffer.from(payload, "base64url").toString("utf8"));
	if (!isRecord(claims)) return undefined;
	const { aud, exp } = claims;
	return {
		audiences: textsOf(Array.isArray(aud) ? aud : [aud]),
		expiresMs:
			typeof exp === "number" && Number.isSafeInteger(exp * 1000)
				? exp * 1000
				: undefined,
	};
}

/**
 * What the answer to a TokenReview means.
 *
 * Guarantees: an owner is answered only for a token that the API server
 *   vouches for, that is meant for the audience, and that is bound to a pod where that is asked for.
 */
export function parseTokenReview(
	text: string,
	asked: {
		readonly token: string;
		readonly audience: string;
		readonly needsPod: boolean;
	},
): TokenVerdict {
	const answer = parseJson(text);
	const status = isRecord(answer) ? answer["status"] : undefined;
	if (!isRecord(status)) {
		return {
			unavailable:
				"The API server's answer about the token makes no sense. Try again.",
		};
	}
	if (status["authenticated"] !== true) {
		const said = status["error"];
		return { refusal: refusalOf(typeof said === "string" ? said : "") };
	}
	// A server that knows no audiences leaves them out, and then the token may be meant for anybody.
	const audiences = status["audiences"];
	if (!Array.isArray(audiences) || !audiences.includes(asked.audience)) {
		return { refusal: wrongAudience(asked.audience) };
	}
	const user = isRecord(status["user"]) ? status["user"] : {};
	const found =
		/^system:serviceaccount:([a-z0-9-]{1,63}):([a-z0-9.-]{1,253})$/.exec(
			typeof user["username"] === "string" ? user["username"] : "",
		);
	if (found === null) {
		return {
			refusal:
				"The token is not one of a ServiceAccount. Give the proxy the token of its pod's ServiceAccount.",
		};
	}
	const [, namespace = "", serviceAccount = ""] = found;
	const extra = isRecord(user["extra"]) ? user["extra"] : {};
	const podName = onlyText(extra[podClaim]) ?? "";
	const podUid = onlyText(extra[podUidClaim]) ?? "";
	if (asked.needsPod && (podName === "" || podUid === "")) {
		return {
			refusal: `The token of ServiceAccount ${namespace}/${serviceAccount} is not bound to a pod. Mount it into the pod as a projected volume, or ask for one with \`kubectl create token --bound-object-kind=Pod\`.`,
		};
	}
	return {
		owner: { namespace, serviceAccount, podName, podUid },
		expiresMs: parseTokenClaims(asked.token)?.expiresMs,
	};
}

/** What to tell the bearer of a token that is meant for others. */
export function wrongAudience(audience: string): string {
	return `The token is not meant for the audience ${audience}. Set \`audience: ${audience}\` in the projected volume that the proxy reads its token from.`;
}

function refusalOf(said: string): string {
	// Its words are about the token, and do not repeat it.
	const reason = said.replaceAll(/\s+/g, " ").slice(0, maxReason);
	return reason === ""
		? "The API server does not accept the token. Give the proxy the present token of its pod."
		: `The API server does not accept the token: ${reason}. Give the proxy the present token of its pod.`;
}

function onlyText(value: unknown): string | undefined {
	const [only, ...more] = Array.isArray(value) ? textsOf(value) : [];
	return more.length > 0 || only === "" ? undefined : only;
}

function textsOf(values: readonly unknown[]): readonly string[] {
	return values.filter((value) => typeof value === "string");
}

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		// The caller says what is wrong; the text itself may hold a token.
		return undefined;
	}
}
