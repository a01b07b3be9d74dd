import {
	type LogFields,
	type Logger,
	silentLogger,
} from "../../src/observability/logger.ts";

/** A logger that puts every message of any level into a list, each followed by its fields. */
export function recordingLogger(logged: unknown[]): Logger {
	const note = (message: string, fields?: LogFields): void => {
		logged.push(message, fields);
	};
	const logger: Logger = {
		debug: note,
		info: note,
		warn: note,
		error: note,
		child: () => logger,
	};
	return logger;
}

/** A logger that puts the messages of its warnings into a list, and drops the rest. */
export function warningLogger(warnings: string[]): Logger {
	return { ...silentLogger, warn: (message) => warnings.push(message) };
}
