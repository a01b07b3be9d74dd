import { nearestName } from "../lib/nearest-name.ts";
import { parseSetting } from "./parse-setting.ts";
import {
	environmentName,
	flagName,
	type Schema,
	type Setting,
	type Values,
} from "./setting.ts";

/** Where a value comes from, strongest first. */
export type SettingOrigin = "flag" | "environment" | "file" | "default";

/** One setting as it is in force. */
export interface EffectiveSetting {
	readonly name: string;
	/** As typed; secrets are replaced. */
	readonly text: string;
	readonly origin: SettingOrigin;
}

/** Variables of a process; two have a meaning of their own. */
export interface Environment {
	readonly [name: string]: string | undefined;
	readonly HOME?: string | undefined;
	readonly XDG_STATE_HOME?: string | undefined;
}

/** What settings are read from. */
export interface SettingSources {
	readonly flags: ReadonlyMap<string, readonly string[]>;
	readonly environment: Environment;
	/** Content of the settings file, already parsed; absent without a file. */
	readonly file?: { readonly path: string; readonly content: unknown };
}

/** Settings that are complete and right, or everything that is wrong with them. */
export type ReadSettings<S extends Schema> =
	| {
			readonly ok: true;
			readonly settings: Values<S>;
			readonly effective: readonly EffectiveSetting[];
	  }
	| { readonly ok: false; readonly problems: readonly string[] };

/**
 * Decides the value of every setting: flag before environment before file before default.
 *
 * Guarantees: every problem is reported, not only the first.
 */
export function readSettings<S extends Schema>(
	schema: S,
	sources: SettingSources,
): ReadSettings<S> {
	const problems: string[] = [];
	const file = readFile(schema, sources.file, problems);
	const home = sources.environment.HOME ?? "";
	const settings: Record<string, unknown> = {};
	const effective: EffectiveSetting[] = [];
	for (const [name, setting] of Object.entries(schema)) {
		const found = find(name, setting, sources, file);
		if (found === undefined) {
			if (setting.required === true) problems.push(missing(name, setting));
			settings[name] = setting.repeatable === true ? [] : absent(setting);
			continue;
		}
		const values = found.typed.map((typed) => {
			const parsed = parseSetting(setting, typed, home);
			if (parsed.ok) return parsed.value;
			const shown = setting.secret === true ? "a value" : JSON.stringify(typed);
			problems.push(
				`${found.said} is ${shown}; expected is ${parsed.expected}.`,
			);
			return undefined;
		});
		settings[name] = setting.repeatable === true ? values : values.at(-1);
		effective.push({
			name,
			text: setting.secret === true ? "<redacted>" : found.typed.join(" "),
			origin: found.origin,
		});
	}
	if (problems.length > 0) return { ok: false, problems };
	return {
		ok: true,
		settings: Object.freeze(settings) as Values<S>,
		effective,
	};
}

/**
 * Sentences about variables that begin with `LATEEN_` and mean nothing.
 *
 * Kubernetes puts addresses of Services into the environment of every
 * container; a Service named `lateen…` makes names like `LATEEN_PORT`, which
 * nobody has mistyped.
 */
export function unknownEnvironment(
	known: Iterable<string>,
	environment: Environment,
): readonly string[] {
	const names = new Set([...known].map(environmentName));
	const fromServices =
		/_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$/;
	return Object.keys(environment)
		.filter(
			(name) =>
				name.startsWith("LATEEN_") &&
				!names.has(name) &&
				!fromServices.test(name),
		)
		.map((name) => didYouMean(`The variable ${name}`, name, names));
}

function find(
	name: string,
	setting: Setting,
	sources: SettingSources,
	file: ReadonlyMap<string, readonly string[]>,
):
	| {
			readonly typed: readonly string[];
			readonly origin: SettingOrigin;
			readonly said: string;
	  }
	| undefined {
	const flag = sources.flags.get(name);
	if (flag !== undefined)
		return { typed: flag, origin: "flag", said: `--${flagName(name)}` };
	const variable = sources.environment[environmentName(name)];
	if (variable !== undefined)
		return {
			typed: setting.repeatable === true ? variable.split(",") : [variable],
			origin: "environment",
			said: environmentName(name),
		};
	const line = file.get(name);
	if (line !== undefined)
		return {
			typed: line,
			origin: "file",
			said: `${name} in ${sources.file?.path ?? "the settings file"}`,
		};
	if (setting.default !== undefined)
		return {
			typed: [defaultText(setting.default, sources.environment)],
			origin: "default",
			said: `The default of ${name}`,
		};
	return undefined;
}

/** `$XDG_STATE_HOME` at the start of a default is what the XDG base directory specification says it is. */
function defaultText(text: string, environment: Environment): string {
	const set = environment.XDG_STATE_HOME;
	const directory =
		set === undefined || !set.startsWith("/") ? "~/.local/state" : set;
	return text.startsWith("$XDG_STATE_HOME/")
		? text.replace("$XDG_STATE_HOME", directory)
		: text;
}

function readFile(
	schema: Schema,
	file: SettingSources["file"],
	problems: string[],
): ReadonlyMap<string, readonly string[]> {
	const values = new Map<string, readonly string[]>();
	if (file === undefined || file.content === null) return values;
	if (typeof file.content !== "object" || Array.isArray(file.content)) {
		problems.push(
			`${file.path} must be a YAML mapping of settings, like \`logLevel: debug\`.`,
		);
		return values;
	}
	for (const [name, value] of Object.entries(file.content ?? {})) {
		const setting = Object.hasOwn(schema, name) ? schema[name] : undefined;
		if (setting === undefined) {
			problems.push(
				didYouMean(
					`${file.path}: the setting ${name}`,
					name,
					Object.keys(schema),
				),
			);
			continue;
		}
		const list: readonly unknown[] =
			setting.repeatable === true && Array.isArray(value) ? value : [value];
		if (
			list.every((one) => ["string", "number", "boolean"].includes(typeof one))
		)
			values.set(name, list.map(String));
		else
			problems.push(
				`${file.path}: ${name} must be a single value${setting.repeatable === true ? " or a list of them" : ""}.`,
			);
	}
	return values;
}

function didYouMean(
	what: string,
	typed: string,
	known: Iterable<string>,
): string {
	const near = nearestName(typed, known);
	return near === undefined
		? `${what} is not known.`
		: `${what} is not known. Did you mean ${near}?`;
}

function missing(name: string, setting: Setting): string {
	return `--${flagName(name)} must be given: ${setting.help}.`;
}

function absent(setting: Setting): false | undefined {
	return setting.type === "boolean" ? false : undefined;
}
