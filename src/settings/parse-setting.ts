import { nearestName } from "../lib/nearest-name.ts";
import type { Setting } from "./setting.ts";

/** A value that was read, or a clause that says what is expected instead. */
export type ParsedSetting =
	| { readonly ok: true; readonly value: string | number | boolean }
	| { readonly ok: false; readonly expected: string };

/** Reads one value of a setting from what was typed. `home` is what `~` stands for. */
export function parseSetting(
	setting: Setting,
	typed: string,
	home: string,
): ParsedSetting {
	switch (setting.type) {
		case "text":
			return { ok: true, value: typed };
		case "path":
			return typed === ""
				? refuse("a path")
				: { ok: true, value: expandHome(typed, home) };
		case "address":
			return isAddress(typed)
				? { ok: true, value: typed }
				: refuse("an address like 127.0.0.1:15010 (port 0: any free one)");
		case "choice":
			return parseChoice(setting, typed);
		case "boolean":
			if (typed === "true" || typed === "false")
				return { ok: true, value: typed === "true" };
			return refuse("true or false");
		case "duration":
			return parseNumber(
				setting,
				typed,
				durationUnits,
				"a time like 250ms, 10s or 5m",
			);
		case "size":
			return parseNumber(
				setting,
				typed,
				sizeUnits,
				"a size like 64KiB or 4MiB",
			);
		case "count":
			return parseNumber(setting, typed, { "": 1 }, "a whole number");
	}
}

const durationUnits = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const sizeUnits = { "": 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

function parseChoice(setting: Setting, typed: string): ParsedSetting {
	const values = setting.values ?? [];
	if (values.includes(typed)) return { ok: true, value: typed };
	const near = nearestName(typed, values);
	const hint = near === undefined ? "" : ` (did you mean ${near}?)`;
	return refuse(`one of ${values.join(", ")}${hint}`);
}

function parseNumber(
	setting: Setting,
	typed: string,
	units: Readonly<Record<string, number>>,
	expected: string,
): ParsedSetting {
	const match = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(typed);
	const factor = match?.[2] === undefined ? undefined : units[match[2]];
	if (match === null || factor === undefined) return refuse(expected);
	const value = Number(match[1]) * factor;
	if (!Number.isInteger(value)) return refuse(expected);
	if (value < (setting.min ?? 0))
		return refuse(
			`${expected}, at least ${printNumber(setting.min ?? 0, units)}`,
		);
	if (setting.max !== undefined && value > setting.max)
		return refuse(`${expected}, at most ${printNumber(setting.max, units)}`);
	return { ok: true, value };
}

function printNumber(
	value: number,
	units: Readonly<Record<string, number>>,
): string {
	const [unit, factor] = Object.entries(units)
		.filter(([, size]) => value % size === 0)
		.at(-1) ?? ["", 1];
	return `${value / factor}${unit}`;
}

function isAddress(typed: string): boolean {
	const match = /^(?:\[[0-9a-fA-F:.]+\]|[^:\s[\]/]+):(\d{1,5})$/.exec(typed);
	return match !== null && Number(match[1]) <= 65_535;
}

function expandHome(typed: string, home: string): string {
	if (typed === "~") return home;
	return typed.startsWith("~/") ? `${home}${typed.slice(1)}` : typed;
}

function refuse(expected: string): ParsedSetting {
	return { ok: false, expected };
}
