import { type LogLevel, type LogPart, logLevels } from "./logger.ts";

/** What the log lets through, by part of the server; can be changed while it runs. */
export class LogControl {
	#level: LogLevel;
	readonly #own = new Map<LogPart, LogLevel>();
	readonly #lines = new Map<LogLevel, number>(
		logLevels.map((level) => [level, 0]),
	);

	/** @param level of every part, until another is set */
	constructor(level: LogLevel) {
		this.#level = level;
	}

	/** The level of all parts that have none of their own. */
	get level(): LogLevel {
		return this.#level;
	}

	/** Levels that parts have of their own. */
	get own(): ReadonlyMap<LogPart, LogLevel> {
		return this.#own;
	}

	/** Lines written since the start. */
	get lines(): ReadonlyMap<LogLevel, number> {
		return this.#lines;
	}

	/** From now on this is the level of all parts that have none of their own. */
	setLevel(level: LogLevel): void {
		this.#level = level;
	}

	/** From now on a part has this level; undefined for that of all others. */
	setOwn(part: LogPart, level: LogLevel | undefined): void {
		if (level === undefined) this.#own.delete(part);
		else this.#own.set(part, level);
	}

	/** Whether a line of this level is written now, and counted. */
	admits(part: LogPart | undefined, level: LogLevel): boolean {
		const least = (part && this.#own.get(part)) ?? this.#level;
		if (logLevels.indexOf(level) < logLevels.indexOf(least)) return false;
		this.#lines.set(level, (this.#lines.get(level) ?? 0) + 1);
		return true;
	}
}
