import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments, stringify } from "yaml";
import { parseObject } from "../../src/api/parse-object.ts";
import { injectManifest } from "../../src/injector/inject-manifest.ts";
import type { Json } from "../../src/injector/json.ts";
import { kubernetesAbilities } from "../../src/injector/kubernetes-abilities.ts";
import { injectContext } from "./inject-context.ts";

/**
 * What injection makes of `in.yaml` in a folder: whole objects, with the bootstrap of Envoy as an object instead of a text.
 * `# kubernetes: 1.28` in the first line says what it is for.
 */
export function renderInjection(root: string, feature: string): string {
	const text = readFileSync(join(root, feature, "in.yaml"), "utf8");
	const [, minor = "35"] = /^# kubernetes: 1\.(\d+)/.exec(text) ?? [];
	const documents = parseAllDocuments(text).map(
		(document) => document.toJS() as Json,
	);
	const settings = documents.flatMap((object) => {
		const parsed = parseObject(structuredClone(object));
		return parsed.kind === "object" && parsed.object.kind === "Mesh"
			? [parsed.object.spec.injection]
			: [];
	})[0];
	const context = {
		...injectContext(settings),
		defaultNamespace: "default",
		kubernetes: kubernetesAbilities({ major: 1, minor: Number(minor) }),
	};
	return documents
		.filter(({ kind }) => kind !== "Mesh")
		.map((object) =>
			stringify(injectManifest(object, context).object, readable, {
				lineWidth: 0,
				aliasDuplicateObjects: false,
			}),
		)
		.join("---\n");
}

function readable(_: unknown, value: unknown): unknown {
	return typeof value === "string" && /^\{"/.test(value)
		? (JSON.parse(value) as unknown)
		: value;
}
