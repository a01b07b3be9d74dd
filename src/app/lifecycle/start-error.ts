import { CodedError } from "../../lib/coded-error.ts";

/** The server cannot start as it is told to; the message says what to change. */
export class StartError extends CodedError {
	override readonly name = "StartError";
	readonly retryable = false;
	readonly code: /** `--source` names no kind of source that there is. Next: write `--source=kubernetes` or `--source=directory:PATH`. */
		| "APP_SOURCE_UNKNOWN"
		/** The address would open something to the network that has no passwords. Next: use a loopback address, or a Unix socket. */
		| "APP_LISTEN_REFUSED"
		/** The state directory cannot be made, belongs to another user, or is open to others. Next: do what the message says, or name another one with `--state-dir`. */
		| "APP_STATE_DIR_UNUSABLE"
		/** Another server uses the state directory. Next: stop it, or name another directory with `--state-dir`. */
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
