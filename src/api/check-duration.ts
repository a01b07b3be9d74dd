import { parseDuration } from "./duration.ts";
import type { FieldPath } from "./field-path.ts";
import type { Report } from "./report.ts";

/** Envoy refuses durations of about 300 years; no rule needs one of a year. */
const MAX_MS = 365 * 24 * 3_600_000;

/** What a duration must be besides well-formed and not longer than a year. */
export interface DurationLimits {
	/** Refuses 0. */
	readonly positive?: boolean;
	/** Refuses parts of a second. */
	readonly wholeSeconds?: boolean;
}

/** Reports a duration that cannot be used where it stands; answers its milliseconds. */
export function checkDuration(
	text: string,
	path: FieldPath,
	limits: DurationLimits,
	report: Report,
): number | undefined {
	const ms = parseDuration(text);
	if (ms === undefined) return undefined;
	if (ms > MAX_MS) {
		report(
			path,
			"The duration is longer than a year (8760h). Write a shorter one.",
		);
	} else if (limits.positive && ms === 0) {
		report(
			path,
			'The duration must be more than 0. Write one such as "100ms".',
		);
	} else if (!limits.wholeSeconds && ms > 0 && ms < 1) {
		report(
			path,
			'The duration is shorter than a millisecond. Write "1ms" or more, or "0s".',
		);
	} else if (limits.wholeSeconds && ms % 1000 !== 0) {
		report(path, 'The duration must be whole seconds, such as "90s".');
	}
	return ms;
}
