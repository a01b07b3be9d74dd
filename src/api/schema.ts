/** One failure of a schema, in ajv's form. */
export interface SchemaFailure {
	readonly instancePath: string;
	readonly keyword: string;
	readonly params: Readonly<Record<string, unknown>>;
	readonly message?: string;
	readonly parentSchema?: Readonly<Record<string, unknown>>;
	readonly data?: unknown;
}

/** One rule in CEL of a schema; `*` in `at` stands for every item or key. */
export interface CelRule {
	readonly at: readonly string[];
	readonly rule: string;
	readonly message?: string;
	readonly messageExpression?: string;
	/** Relative to the value that the rule is about: `.route`. */
	readonly fieldPath?: string;
}

/** What is generated from a kind's CRD. */
export interface Schema {
	/** Fills in defaults in place and says whether the value fits; if not, `errors` says why until the next call. */
	readonly validate: {
		(value: unknown): boolean;
		readonly errors?: readonly SchemaFailure[] | null;
	};
	/** Outermost first. */
	readonly celRules: readonly CelRule[];
	/** Places of the maps, whose keys users choose; steps are joined by slashes. */
	readonly maps: ReadonlySet<string>;
	/** Places of the fields that their objects must have, in the same form. */
	readonly required: ReadonlySet<string>;
}
