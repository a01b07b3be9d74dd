import { readFileSync } from "node:fs";
import { parse } from "yaml";

/** Kinds of change, as a shape weighs them. */
export const changeKinds = [
	"addService",
	"removeService",
	"addPort",
	"removePort",
	"addWorkload",
	"removeWorkload",
	"replaceWorkload",
	"addVersion",
	"removeVersion",
	"addRule",
	"changeRule",
	"moveRule",
	"removeRule",
	"addExternal",
	"changeExternal",
	"removeExternal",
	"relabelCaller",
] as const;

/** A kind of change that a shape weighs. */
export type ChangeKind = (typeof changeKinds)[number];

/** What traffic there is. */
export interface LoadShape {
	readonly requestsPerSecond: number;
	/** More requests than this are not begun before others have ended. */
	readonly maxInFlight: number;
	readonly slowPercent: number;
	/** Least and most time that a slow answer takes. */
	readonly slowMs: readonly [number, number];
	readonly newConnectionPercent: number;
}

/** What a run is like; `shapes/default.yaml` says what each field is. */
export interface Shape {
	readonly changesPerSecond: number;
	/** At the start, and at most. */
	readonly services: readonly [number, number];
	readonly workloadsPerVersion: number;
	readonly versionsPerService: number;
	readonly rulesPerService: number;
	readonly externalServices: number;
	readonly drainMs: number;
	readonly changes: Readonly<Record<ChangeKind, number>>;
	readonly load: LoadShape;
}

/**
 * Reads a shape.
 *
 * @throws Error that names every field that is missing, unknown or no number
 */
export function readShape(file: string): Shape {
	const shape: unknown = parse(readFileSync(file, "utf8"));
	const problems: string[] = [];
	compare(shape, template, "", problems);
	if (problems.length > 0) throw new Error(`${file}: ${problems.join(" ")}`);
	return shape as Shape;
}

const range = [0, 0];

/** Where a number stands in a shape, a number stands here. */
const template = {
	changesPerSecond: 0,
	services: range,
	workloadsPerVersion: 0,
	versionsPerService: 0,
	rulesPerService: 0,
	externalServices: 0,
	drainMs: 0,
	changes: Object.fromEntries(changeKinds.map((kind) => [kind, 0])),
	load: {
		requestsPerSecond: 0,
		maxInFlight: 0,
		slowPercent: 0,
		slowMs: range,
		newConnectionPercent: 0,
	},
};

function compare(
	value: unknown,
	like: unknown,
	path: string,
	problems: string[],
): void {
	if (typeof like === "number") {
		if (typeof value !== "number" || !(value >= 0))
			problems.push(`${path} must be a number, 0 or more.`);
		return;
	}
	if (typeof value !== "object" || value === null) {
		problems.push(`${path} is missing.`);
		return;
	}
	const wanted = like as Readonly<Record<string, unknown>>;
	const given = value as Readonly<Record<string, unknown>>;
	for (const name of new Set([...Object.keys(wanted), ...Object.keys(given)])) {
		const inside = path === "" ? name : `${path}.${name}`;
		if (!(name in wanted)) problems.push(`${inside} is not known.`);
		else compare(given[name], wanted[name], inside, problems);
	}
}
