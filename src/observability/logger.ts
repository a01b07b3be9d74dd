/** Every level, the mildest first. */
export const logLevels = ["debug", "info", "warn", "error"] as const;

/** How much must go wrong before a line is written. */
export type LogLevel = (typeof logLevels)[number];

/** Parts of the server that log under a name of their own, so that each can have a level of its own. */
export const logParts = [
	"admin",
	"admission",
	"events",
	"health",
	"leader",
	"mesh",
	"quarantine",
	"readers",
	"replicas",
	"serving",
	"source",
	"status",
	"tokens",
	"traces",
	"trust-bundle",
	"xds",
] as const;

/** The name of one of them, as it stands in the field `part` of its lines. */
export type LogPart = (typeof logParts)[number];

/** Data of a log line: values that a machine can search for. Never secrets. */
export type LogFields = Readonly<Record<string, unknown>> & {
	readonly part?: LogPart;
};

/** Takes what the process has to say about itself. Messages are fixed sentences; what varies stands in the fields. */
export interface Logger {
	/** For whoever looks for the cause of something. */
	debug(message: string, fields?: LogFields): void;
	/** What an operator wants to see of a healthy process. */
	info(message: string, fields?: LogFields): void;
	/** Something is not as it should be, and the process carries on as before. */
	warn(message: string, fields?: LogFields): void;
	/** Something did not work. */
	error(message: string, fields?: LogFields): void;
	/** A logger that adds these fields to each of its lines. */
	child(fields: LogFields): Logger;
}

/** Says nothing; for callers that nobody listens to. */
export const silentLogger: Logger = {
	debug: () => undefined,
	info: () => undefined,
	warn: () => undefined,
	error: () => undefined,
	child: () => silentLogger,
};
