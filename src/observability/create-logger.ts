import { type Logger as PinoLogger, pino } from "pino";
import { errorFields } from "./error-fields.ts";
import type { LogControl } from "./log-control.ts";
import type { LogFields, Logger, LogLevel, LogPart } from "./logger.ts";
import { printLogLine } from "./print-log-line.ts";

/** Where lines go; a stream of Node.js is one. */
export interface LogDestination {
	write(line: string): unknown;
}

/** What a logger is made of. */
export interface LoggerOptions {
	/** What is written; asked for each line. */
	readonly control: LogControl;
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
	const { control, destination, colours } = options;
	const sink =
		options.format === "json"
			? { write: (line: string) => destination.write(line) }
			: {
					write: (line: string) =>
						destination.write(printLogLine(line, { colours })),
				};
	const inner = pino(
		{
			// What may pass, `control` says.
			level: "debug",
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
	return wrap(inner, control, undefined);
}

function wrap(
	inner: PinoLogger,
	control: LogControl,
	part: LogPart | undefined,
): Logger {
	const write =
		(level: LogLevel) =>
		(message: string, fields?: LogFields): void => {
			if (control.admits(part, level)) inner[level](fields ?? {}, message);
		};
	return {
		debug: write("debug"),
		info: write("info"),
		warn: write("warn"),
		error: write("error"),
		child: (fields: LogFields) =>
			wrap(inner.child({ ...fields }), control, fields.part ?? part),
	};
}
