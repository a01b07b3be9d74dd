import { CodedError } from "../lib/coded-error.ts";

/** A server cannot listen where it was told to; the message says what to do. */
export class ListenError extends CodedError {
	override readonly name = "ListenError";
	readonly code: /** Another process listens there. Next: stop that process, or choose another address. */
		| "NET_ADDRESS_IN_USE"
		/** The address or the path of the socket cannot be used. Next: do what the message says, or choose another. */
		| "NET_CANNOT_LISTEN";
	readonly retryable: boolean;

	constructor(
		code: ListenError["code"],
		message: string,
		options?: ErrorOptions,
	) {
		super(message, options);
		this.code = code;
		this.retryable = code === "NET_ADDRESS_IN_USE";
	}
}
