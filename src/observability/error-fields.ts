import { CodedError } from "../lib/coded-error.ts";

/** What a log line says of an error: a plain value, with the chain of causes. */
export interface ErrorFields {
	readonly name: string;
	readonly message: string;
	/** Stable code of an error that is thrown on purpose, or of the operating system. */
	readonly code?: string;
	/** Only for errors nobody expected: the way to the mistake. */
	readonly stack?: string;
	readonly cause?: ErrorFields;
}

/** The error as data; anything can be thrown, so anything is taken. */
export function errorFields(error: unknown): ErrorFields {
	if (!(error instanceof Error))
		return { name: "Unknown", message: String(error) };
	const code = codeOf(error);
	const expected = code !== undefined;
	return {
		name: error.name,
		message: error.message,
		...(code === undefined ? {} : { code }),
		...(expected || error.stack === undefined ? {} : { stack: error.stack }),
		...(error.cause === undefined ? {} : { cause: errorFields(error.cause) }),
	};
}

function codeOf(error: Error): string | undefined {
	if (error instanceof CodedError) return error.code;
	if ("code" in error && typeof error.code === "string") return error.code;
	return undefined;
}
