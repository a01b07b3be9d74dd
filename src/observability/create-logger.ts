import { type Logger as PinoLogger, pino } from "pino";
import { errorFields } from "./error-fields.ts";
import type { LogFields, Logger, LogLevel } from "./logger.ts";
import { printLogLine } from "./print-log-line.ts";

/** Where lines go; a stream of Node.js is one. */
export interface LogDestination {
	write(line: string): unknown;
}

/** What a logger is made of. */
export interface LoggerOptions {
	readonly level: LogLevel;
	/** `json`: one object a line, for machines. `text`: one readable line. */
	readonly format: "json" | "text";
	/** Whether text lines carry colours; JSON never does. */
	readonly colours: boolean;
	readonly destination: LogDestination;
}

/** Names of fields that are replaced wherever they stand: a net below the rule that nobody logs a secret. */
const secretNames = [
	"token",
	"bearerToken",
	"authorization",
	"key",
	"password",
];

/** Makes the logger of the process. */
export function createLogger(options: LoggerOptions): Logger {
	const { destination, colours } = options;
	const sink =
		options.format === "json"
			? { write: (line: string) => destination.write(line) }
			: {
					write: (line: string) =>
						destination.write(printLogLine(line, { colours })),
				};
	const inner = pino(
		{
			level: options.level,
			messageKey: "message",
			base: null,
			timestamp: () => `,"time":"${new Date().toISOString()}"`,
			formatters: { level: (label) => ({ level: label }) },
			serializers: { error: errorFields, cause: errorFields },
			redact: {
				paths: secretNames.flatMap((name) => [name, `*.${name}`]),
				censor: "<redacted>",
			},
		},
		sink,
	);
	return wrap(inner);
}

function wrap(inner: PinoLogger): Logger {
	return {
		debug: (message, fields) => inner.debug(fields ?? {}, message),
		info: (message, fields) => inner.info(fields ?? {}, message),
		warn: (message, fields) => inner.warn(fields ?? {}, message),
		error: (message, fields) => inner.error(fields ?? {}, message),
		child: (fields: LogFields) => wrap(inner.child({ ...fields })),
	};
}
