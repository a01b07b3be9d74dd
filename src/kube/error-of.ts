import { isRecord } from "../api/fields.ts";
import { KubeError } from "./kube-error.ts";
import { type KubeResource, resources } from "./resources.ts";

/** What was asked of the API server, in the words of its roles. */
export interface Asked {
	/** As in a role: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`. */
	readonly verb: string;
	readonly resource: KubeResource;
	/** Empty for all namespaces and for cluster-scoped kinds. */
	readonly namespace: string;
	/** Absent when the whole collection is meant. */
	readonly name?: string;
	readonly subresource?: string;
}

/** An answer that is not a success. */
export interface FailedAnswer {
	readonly status: number;
	readonly headers: ReadonlyMap<string, string>;
	/** The body, or the beginning of a long one; usually a `Status` object. */
	readonly text: string;
}

/** Enough for every sentence that helps, little enough for a log line and a condition. */
const maxDetail = 1000;

/** What a server-side apply is told that names a field which the CRD does not have; it comes with 500, as if it could pass. */
const unknownField = /: field not declared in schema/;

/**
 * What an answer of 400 or more means, as an error that says what was asked and what to do.
 *
 * The server's own sentence is quoted, except where it may quote a Secret back.
 */
export function errorOf(answer: FailedAnswer, asked: Asked): KubeError {
	const status = parseStatus(answer.text);
	const code = unknownField.test(status.message ?? "")
		? "KUBE_UNKNOWN_FIELD"
		: codeOf(answer.status, status.reason);
	const retryAfterMs = retryAfterOf(answer, status);
	return new KubeError(code, sentenceOf(code, answer, status, asked), {
		status: answer.status,
		...(status.reason !== undefined && { reason: status.reason }),
		...(retryAfterMs !== undefined && { retryAfterMs }),
	});
}

/** The same as people would type it: `patch routerules/status reviews in namespace default`. */
export function printAsked(asked: Asked): string {
	const { verb, name, namespace, resource } = asked;
	const what = `${verb} ${printPart(asked)}${name === undefined ? "" : ` ${name}`}`;
	if (!resource.isNamespaced) return what;
	return namespace === ""
		? `${what} in all namespaces`
		: `${what} in namespace ${namespace}`;
}

function printPart({ resource, subresource }: Asked): string {
	return subresource === undefined
		? resource.plural
		: `${resource.plural}/${subresource}`;
}

interface ParsedStatus {
	readonly reason: string | undefined;
	readonly message: string | undefined;
	readonly retryAfterSeconds: number | undefined;
	/** Whether it speaks of one object, and not of a path that nobody serves. */
	readonly namesObject: boolean;
	/** Of what it speaks: `namespaces`, also where something else was asked for in one that does not exist. */
	readonly kind: string | undefined;
	/** `reason` of each cause: `NamespaceTerminating`, `FieldManagerConflict`. */
	readonly causes: readonly string[];
}

function parseStatus(text: string): ParsedStatus {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		// A proxy on the way answers in words of its own; the HTTP status says enough.
		value = undefined;
	}
	const body = isRecord(value) && value["kind"] === "Status" ? value : {};
	const details = isRecord(body["details"]) ? body["details"] : {};
	const seconds = details["retryAfterSeconds"];
	const causes = Array.isArray(details["causes"]) ? details["causes"] : [];
	return {
		reason: textOf(body["reason"]),
		message: textOf(body["message"]),
		retryAfterSeconds: typeof seconds === "number" ? seconds : undefined,
		namesObject: textOf(details["name"]) !== undefined,
		kind: textOf(details["kind"]),
		causes: causes.flatMap((cause: unknown) => {
			const reason = isRecord(cause) ? textOf(cause["reason"]) : undefined;
			return reason === undefined ? [] : [reason];
		}),
	};
}

function textOf(value: unknown): string | undefined {
	return typeof value === "string" && value !== "" ? value : undefined;
}

/** The reason is more exact than the HTTP status where both are known. */
function codeOf(
	httpStatus: number,
	reason: string | undefined,
): KubeError["code"] {
	switch (reason) {
		case "Unauthorized":
			return "KUBE_UNAUTHENTICATED";
		case "Forbidden":
			return "KUBE_FORBIDDEN";
		case "NotFound":
			return "KUBE_NOT_FOUND";
		case "Conflict":
		case "AlreadyExists":
			return "KUBE_CONFLICT";
		case "Expired":
		case "Gone":
			return "KUBE_EXPIRED";
		case "TooManyRequests":
			return "KUBE_BUSY";
		default:
			return codeOfHttp(httpStatus);
	}
}

function codeOfHttp(httpStatus: number): KubeError["code"] {
	switch (httpStatus) {
		case 401:
			return "KUBE_UNAUTHENTICATED";
		case 403:
			return "KUBE_FORBIDDEN";
		case 404:
			return "KUBE_NOT_FOUND";
		case 409:
			return "KUBE_CONFLICT";
		case 410:
			return "KUBE_EXPIRED";
		case 429:
			return "KUBE_BUSY";
		default:
			return httpStatus >= 400 && httpStatus < 500
				? "KUBE_INVALID"
				: "KUBE_FAILED";
	}
}

/** In the header for everybody, in the body for Kubernetes' own clients. */
function retryAfterOf(
	{ headers }: FailedAnswer,
	{ retryAfterSeconds }: ParsedStatus,
): number | undefined {
	const header = headers.get("retry-after");
	const seconds =
		header !== undefined && /^\d{1,6}$/.test(header)
			? Number(header)
			: retryAfterSeconds;
	return seconds === undefined || seconds < 0 ? undefined : seconds * 1000;
}

function sentenceOf(
	code: KubeError["code"],
	answer: FailedAnswer,
	status: ParsedStatus,
	asked: Asked,
): string {
	const what = printAsked(asked);
	const said = quote(answer, status, asked);
	switch (code) {
		case "KUBE_UNAUTHENTICATED":
			return `The API server does not accept the credentials for "${what}".${said} Log in again, or see the ServiceAccount's token.`;
		case "KUBE_FORBIDDEN":
			return status.causes.includes("NamespaceTerminating")
				? `The API server refuses "${what}", because the namespace is being deleted.`
				: `The API server does not allow "${what}".${said} Give the role the verb ${asked.verb} on ${printPart(asked)} of ${printGroup(asked)}.`;
		case "KUBE_NOT_FOUND":
			if (status.kind === "namespaces" && asked.resource.isNamespaced)
				return `There is no namespace ${asked.namespace}, so "${what}" is not possible. Make it (kubectl create namespace ${asked.namespace}), or name the right one.`;
			return status.namesObject
				? `There is nothing to be found for "${what}".${said} Correct the name, or make the object.`
				: `The API server does not know ${asked.resource.plural} of ${printGroup(asked)} at ${asked.resource.version}, so "${what}" is not possible. Apply the CRDs that belong to this version of Lateen.`;
		case "KUBE_CONFLICT":
			return `Someone else changed or made the object before "${what}" arrived.${said} Read it again and repeat.`;
		case "KUBE_EXPIRED":
			return `The API server no longer has the version that "${what}" asked for.${said} List again.`;
		case "KUBE_BUSY":
			return `The API server has too much to do for "${what}".${said} Wait as long as it says, and look at its load.`;
		case "KUBE_UNKNOWN_FIELD":
			return `The CRD on the API server is older than this version of Lateen, so "${what}" is not possible.${said} Apply the CRDs that belong to this version of Lateen.`;
		case "KUBE_INVALID":
			return `The API server refuses "${what}" with ${answer.status}.${said} Correct what it names.`;
		default:
			return `The API server failed at "${what}" with ${answer.status}.${said} Try again, and look at its log.`;
	}
}

function printGroup({ resource }: Asked): string {
	return resource.group === "" ? "the core group" : resource.group;
}

function quote(
	{ text }: FailedAnswer,
	{ message }: ParsedStatus,
	{ resource }: Asked,
): string {
	// A refused value is quoted in the refusal.
	if (resource.kind === resources.Secret.kind) return "";
	const words = (message ?? text).replaceAll(/\s+/g, " ").trim();
	if (words === "" || words.startsWith("<")) return "";
	const short =
		words.length > maxDetail ? `${words.slice(0, maxDetail)} …` : words;
	return ` It says: ${/[.!?…]$/.test(short) ? short : `${short}.`}`;
}
