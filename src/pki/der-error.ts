import { CodedError } from "../lib/coded-error.ts";

/** Bytes are not what they should be; the message names the place and never the bytes. */
export class DerError extends CodedError {
	override readonly name = "DerError";
	/** A certificate or key is not encoded as the standard asks. Next: put the file or Secret right that the message names. */
	readonly code = "PKI_MALFORMED";
	readonly retryable = false;
}
