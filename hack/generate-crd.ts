/**
 * Generates `src/gen/crd/` from the schemas in `crds/`: for each kind
 *
 *   <kind>.ts           the types of its `spec`, after defaults
 *   <kind>.schema.js    an ajv validator that fills in defaults, and the CEL rules
 *   <kind>.schema.d.ts  the types of those
 *
 * Two things are stricter here than in Kubernetes: objects are closed, so an
 * unknown field is an error and not silently dropped; and a node without `type`
 * that lists `properties` is a bare string or exactly that object.
 */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Ajv } from "ajv";
import standaloneCode from "ajv/dist/standalone/index.js";
import { build } from "esbuild";
import { parse } from "yaml";
import type { CrdSchema } from "./crd-schema.ts";
import {
	collectCelRules,
	collectMaps,
	collectRequired,
	toJsonSchema,
} from "./crd-schema.ts";
import { printCrdTypes } from "./print-crd-types.ts";

const ROOT = join(import.meta.dirname, "..");
const CRDS = join(ROOT, "crds");
const OUT = join(ROOT, "src/gen/crd");

interface Crd {
	readonly spec: {
		readonly names: { readonly kind: string };
		readonly versions: readonly {
			readonly name: string;
			readonly schema: { readonly openAPIV3Schema: CrdSchema };
		}[];
	};
}

/** Writes `src/gen/crd/` anew; files of kinds that no longer exist go away. */
export async function generateCrd(): Promise<void> {
	const files = new Map<string, string>();
	for (const name of (await readdir(CRDS)).sort()) {
		if (!name.endsWith(".yaml")) continue;
		const crd = parse(await readFile(join(CRDS, name), "utf8"), {
			merge: true,
			maxAliasCount: -1,
		}) as Crd;
		const version = crd.spec.versions[0];
		if (version === undefined || crd.spec.versions.length !== 1) {
			throw new Error(`${name}: exactly one version can be generated.`);
		}
		const schema = version.schema.openAPIV3Schema;
		const kind = kebab(crd.spec.names.kind);
		const head = `// Generated from crds/${name} by hack/generate-crd.ts.\n`;
		files.set(`${kind}.ts`, head + printCrdTypes(schema));
		files.set(`${kind}.schema.js`, head + (await validatorCode(schema)));
		files.set(`${kind}.schema.d.ts`, head + DECLARATION);
	}
	await mkdir(OUT, { recursive: true });
	for (const [name, text] of files) await writeChanged(join(OUT, name), text);
	for (const name of await readdir(OUT)) {
		if (!files.has(name)) await rm(join(OUT, name), { recursive: true });
	}
}

async function validatorCode(schema: CrdSchema): Promise<string> {
	const ajv = new Ajv({
		allErrors: true,
		useDefaults: true,
		strict: false,
		strictNumbers: true,
		validateFormats: false,
		// Messages are written from the schema around the failure.
		verbose: true,
		code: { source: true, esm: true, lines: true },
	});
	const validate = ajv.compile(toJsonSchema(schema));
	const source = `${standaloneCode.default(ajv, validate)}
export const celRules = ${JSON.stringify(collectCelRules(schema), null, "\t")};
export const maps = new Set(${JSON.stringify(collectMaps(schema), null, "\t")});
export const required = new Set(${JSON.stringify(collectRequired(schema), null, "\t")});
`;
	// ajv's code asks for parts of ajv at run time; the bundle carries them.
	const bundle = await build({
		stdin: { contents: source, resolveDir: ROOT },
		bundle: true,
		write: false,
		format: "esm",
		logLevel: "error",
	});
	const file = bundle.outputFiles[0];
	if (file === undefined) throw new Error("esbuild wrote nothing.");
	return file.text;
}

/** Leaves files alone that would not change, so that nothing downstream is rebuilt. */
async function writeChanged(path: string, text: string): Promise<void> {
	const old = await readFile(path, "utf8").catch(() => undefined);
	if (old !== text) await writeFile(path, text);
}

function kebab(kind: string): string {
	return kind.replace(/(?<=[a-z0-9])[A-Z]/g, "-$&").toLowerCase();
}

const DECLARATION = `
/** One failure of the schema, in ajv's form. */
export interface SchemaFailure {
	readonly instancePath: string;
	readonly keyword: string;
	readonly params: Readonly<Record<string, unknown>>;
	readonly message?: string;
	readonly parentSchema?: Readonly<Record<string, unknown>>;
	readonly data?: unknown;
}

/** One rule in CEL of the schema; \`*\` in \`at\` stands for every item or key. */
export interface CelRule {
	readonly at: readonly string[];
	readonly rule: string;
	readonly message?: string;
	readonly messageExpression?: string;
	readonly fieldPath?: string;
}

/** Fills in defaults in place and says whether the value fits; if not, \`errors\` says why until the next call. */
export const validate: {
	(value: unknown): boolean;
	readonly errors?: readonly SchemaFailure[] | null;
};

/** The CEL rules, outermost first. */
export const celRules: readonly CelRule[];

/** Places of the maps, whose keys users choose; steps are joined by slashes. */
export const maps: ReadonlySet<string>;

/** Places of the fields that their objects must have, in the same form. */
export const required: ReadonlySet<string>;
`;

if (import.meta.main) await generateCrd();
