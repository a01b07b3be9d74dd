/** Data of a log line: values that a machine can search for. Never secrets. */
export type LogFields = Readonly<Record<string, unknown>>;

/** How much must go wrong before a line is written. */
export type LogLevel = "debug" | "info" | "warn" | "error";

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
