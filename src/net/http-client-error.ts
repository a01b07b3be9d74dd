import { CodedError } from "../lib/coded-error.ts";

/** A request of ours got no answer; the message names the server and says what to do. */
export class HttpClientError extends CodedError {
	override readonly name = "HttpClientError";
	readonly code: /** The server does not run, or listens elsewhere. Next: start it, or name the one that runs. */
		| "NET_NOBODY_LISTENS"
		/** This user may not connect to the server's socket. Next: run the command as the user who runs the server. */
		| "NET_NOT_ALLOWED"
		/** The server took the request and does not answer. Next: look at its log; it may be overloaded or stopped. */
		| "NET_TIMEOUT"
		/** The server shows a certificate that is expired, for another name, or of an authority that is not trusted. Next: see that the server's certificate is current, and that the right authority is trusted. */
		| "NET_NOT_TRUSTED"
		/** The connection failed on the way, or the address is none. Next: correct what the message names, and try again. */
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
