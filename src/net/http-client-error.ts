import { CodedError } from "../lib/coded-error.ts";

/** A request of ours got no answer; the message names the server and says what to do. */
export class HttpClientError extends CodedError {
	override readonly name = "HttpClientError";
	/** `NET_NOBODY_LISTENS`: the server does not run, or listens elsewhere. */
	readonly code:
		| "NET_NOBODY_LISTENS"
		| "NET_NOT_ALLOWED"
		| "NET_TIMEOUT"
		| "NET_REQUEST_FAILED";
	readonly retryable = true;

	constructor(
		code: HttpClientError["code"],
		message: string,
		options?: ErrorOptions,
	) {
		super(message, options);
		this.code = code;
	}
}
