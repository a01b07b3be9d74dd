import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { parseAllDocuments } from "yaml";
import { parseObject } from "../../../src/api/parse-object.ts";
import {
	ApiClient,
	newNamespace,
	sharedCluster,
} from "../../testkit/kube-cluster.ts";
import { collectionOf, readCrds } from "./crd-files.ts";

const ROOT = join(import.meta.dirname, "../../..");
const FILES = globSync(
	[
		"samples/bookinfo/**/*.yaml",
		"test/golden/**/*.yaml",
		"test/validation/good-objects.yaml",
	],
	{ cwd: ROOT, exclude: ["**/out.yaml"] },
).sort();

interface OurObject {
	readonly kind: string;
	readonly metadata: { readonly name: string; readonly labels?: object };
	readonly spec: unknown;
}

const crds = readCrds();

describe("an object on a real API server", () => {
	let client: ApiClient;
	let namespace: string;
	let made = 0;

	before(async () => {
		const cluster = await sharedCluster();
		namespace = await newNamespace(cluster);
		client = await ApiClient.of(cluster);
	});
	after(() => client[Symbol.dispose]());

	/** Creates the object under a name of its own, and returns what is stored. */
	async function store(object: OurObject): Promise<OurObject> {
		const crd = crds.get(object.kind);
		if (crd === undefined) throw new Error(`There is no CRD ${object.kind}.`);
		const collection = `${collectionOf(crd, namespace)}`;
		made += 1;
		const isShared = crd.spec.scope === "Cluster";
		const name = isShared ? object.metadata.name : `object-${made}`;
		const created = await client.ask(
			"POST",
			// What has no namespace would be seen by other tests.
			`${collection}?fieldValidation=Strict${isShared ? "&dryRun=All" : ""}`,
			{ ...object, metadata: { name } },
		);
		expect(created.status, JSON.stringify(created.body)).to.equal(201);
		if (isShared) return created.body as OurObject;
		return (await client.ask("GET", `${collection}/${name}`)).body as OurObject;
	}

	for (const file of FILES) {
		const objects = readOurs(file);
		if (objects.length === 0) continue;

		it(`loses nothing and gets the defaults that lateen reads into it: ${file}`, async () => {
			for (const object of objects) {
				const stored = await store(object);
				const parsed = parseObject(object);
				if (parsed.kind !== "object") {
					throw new Error(JSON.stringify(parsed));
				}
				const { object: known } = parsed;
				expect(stored.spec, object.metadata.name).to.deep.equal(
					"spec" in known ? known.spec : undefined,
				);
				expect(lostOf(object.spec, stored.spec)).to.deep.equal([]);
			}
		});
	}
});

/** Objects of our kinds that are valid, with those of lists. */
function readOurs(file: string): readonly OurObject[] {
	return parseAllDocuments(readFileSync(join(ROOT, file), "utf8"))
		.flatMap((document) => {
			const value = document.toJS() as { readonly items?: unknown[] } | null;
			return value?.items ?? [value];
		})
		.filter((value): value is OurObject => {
			const { kind } = (value ?? {}) as { readonly kind?: string };
			return kind !== undefined && crds.has(kind);
		})
		.filter((object) => parseObject(object).kind === "object");
}

/** The paths of what is in `before` and not in `after`. */
function lostOf(before: unknown, after: unknown, at = "spec"): string[] {
	if (before === null || typeof before !== "object") {
		return before === after ? [] : [at];
	}
	if (after === null || typeof after !== "object") return [at];
	return Object.entries(before).flatMap(([key, value]) =>
		lostOf(value, (after as Record<string, unknown>)[key], `${at}.${key}`),
	);
}
