import { CodedError } from "../lib/coded-error.ts";

/** The API server could not be asked, or said no; the message names what was asked and says what to do. */
export class KubeError extends CodedError {
	override readonly name = "KubeError";
	readonly code: /** Nothing answers at the server's address. Next: see that it runs and that the address is right. */
		| "KUBE_UNREACHABLE"
		/** The server took the request and did not answer, or a body went silent. Next: try again; look at its load. */
		| "KUBE_SILENT"
		/** Credentials are missing, expired or not accepted (401). Next: log in again, or see the ServiceAccount's token. */
		| "KUBE_UNAUTHENTICATED"
		/** The credentials may not do this (403). Next: give the role the verb that the message names. */
		| "KUBE_FORBIDDEN"
		/** The kind or the object does not exist (404). Next: apply the CRDs, or correct the name. */
		| "KUBE_NOT_FOUND"
		/** Someone else changed or made the object meanwhile (409). Next: read it again and repeat. */
		| "KUBE_CONFLICT"
		/** The resource version is too old (410). Next: list again. */
		| "KUBE_EXPIRED"
		/** The server refuses the object (400, 422). Next: correct what the message names. */
		| "KUBE_INVALID"
		/** The CRD on the server is older than this program and lacks a field. Next: apply the CRDs that belong to this version. */
		| "KUBE_UNKNOWN_FIELD"
		/** The server has too much to do (429). Next: wait as long as it says. */
		| "KUBE_BUSY"
		/** The server failed (5xx), or its answer makes no sense. Next: try again; look at its log. */
		| "KUBE_FAILED"
		/** The kubeconfig or its credentials cannot be used. Next: correct what the message names. */
		| "KUBE_CONFIG";
	readonly retryable: boolean;
	/** The HTTP status; undefined when there was no answer. */
	readonly status: number | undefined;
	/** `reason` of the Status object, such as `AlreadyExists`. */
	readonly reason: string | undefined;
	/** What `Retry-After` asks for. Milliseconds. */
	readonly retryAfterMs: number | undefined;

	constructor(
		code: KubeError["code"],
		message: string,
		details: {
			readonly status?: number;
			readonly reason?: string;
			readonly retryAfterMs?: number;
			readonly cause?: unknown;
		} = {},
	) {
		super(message, { cause: details.cause });
		this.code = code;
		this.status = details.status;
		this.reason = details.reason;
		this.retryAfterMs = details.retryAfterMs;
		this.retryable =
			code === "KUBE_UNREACHABLE" ||
			code === "KUBE_SILENT" ||
			code === "KUBE_CONFLICT" ||
			code === "KUBE_EXPIRED" ||
			code === "KUBE_BUSY" ||
			code === "KUBE_FAILED";
	}
}
