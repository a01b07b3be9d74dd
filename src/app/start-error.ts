import { CodedError } from "../lib/coded-error.ts";

/** The server cannot start as it is told to; the message says what to change. */
export class StartError extends CodedError {
	override readonly name = "StartError";
	readonly retryable = false;
	readonly code:
		| "APP_SOURCE_UNKNOWN"
		| "APP_SOURCE_UNAVAILABLE"
		| "APP_LISTEN_REFUSED"
		| "APP_STATE_DIR_UNUSABLE"
		| "APP_STATE_DIR_IN_USE";

	constructor(
		code: StartError["code"],
		message: string,
		options?: ErrorOptions,
	) {
		super(message, options);
		this.code = code;
	}
}
