/**
 * What one setting is: everything that help, documentation, checks and the
 * types of values are derived from.
 *
 * Names are written once, in camelCase, as in the settings file; the flag and
 * the environment name follow from it: `xdsListen`, `--xds-listen`,
 * `LATEEN_XDS_LISTEN`.
 */
export interface Setting {
	/**
	 * How the text is read: `duration` (`250ms`, `10s`, `5m`, `1h`) becomes milliseconds, `size` (`512`, `64KiB`, `4MiB`)
	 * becomes bytes, `count` a whole number, `path` has `~/` expanded, `address` is `host:port`.
	 */
	readonly type:
		| "text"
		| "path"
		| "address"
		| "duration"
		| "size"
		| "count"
		| "choice"
		| "boolean";
	/** What it is, as a clause that starts with a capital letter and ends without a stop. */
	readonly help: string;
	/** The value when nobody says anything, as it would be typed; absent: no value. */
	readonly default?: string;
	/** Why the default is what it is, or why there is none. */
	readonly reason?: string;
	/** The value must be given; only for settings without a default. */
	readonly required?: true;
	/** May be given several times; the value is a list. */
	readonly repeatable?: true;
	/** Never printed. */
	readonly secret?: true;
	/** One letter for the command line. */
	readonly short?: string;
	/** What stands for the value in help; by default the type in capitals. */
	readonly placeholder?: string;
	/** Allowed values of a `choice`. */
	readonly values?: readonly string[];
	/** Least value of a `count`, `size` or `duration`; 0 by default. */
	readonly min?: number;
	/** Greatest value of a `count`, `size` or `duration`. */
	readonly max?: number;
}

/** Settings by name. */
export type Schema = Readonly<Record<string, Setting>>;

/** The type of one setting's value. */
export type SettingValue<S extends Setting> = S extends { repeatable: true }
	? readonly string[]
	: S["type"] extends "boolean"
		? boolean
		:
				| (S["type"] extends "duration" | "size" | "count"
						? number
						: S extends { values: readonly (infer V)[] }
							? V
							: string)
				| (S extends { default: string } | { required: true }
						? never
						: undefined);

/** The values of a schema's settings. */
export type Values<S extends Schema> = {
	readonly [K in keyof S]: SettingValue<S[K]>;
};

/** `xdsListen` as a flag, without its dashes: `xds-listen`. */
export function flagName(name: string): string {
	return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `xdsListen` as an environment name: `LATEEN_XDS_LISTEN`. */
export function environmentName(name: string): string {
	return `LATEEN_${flagName(name).replaceAll("-", "_").toUpperCase()}`;
}
