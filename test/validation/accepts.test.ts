import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { parse, parseAllDocuments } from "yaml";
import type { CrdSchema } from "../../hack/crd-schema.ts";
import { explainFailure } from "../../src/api/explain-failure.ts";
import type { ApiObject } from "../../src/api/objects.ts";
import { parseObject } from "../../src/api/parse-object.ts";

const HERE = import.meta.dirname;
const CRDS = join(HERE, "../../crds");

const documents: readonly Record<string, unknown>[] = parseAllDocuments(
	readFileSync(join(HERE, "good-objects.yaml"), "utf8"),
).map((document) => document.toJS());

const crdFiles = readdirSync(CRDS).filter((name) => name.endsWith(".yaml"));

/** Kinds that people write; the others are written and read by us alone. */
const schemas = new Map<string, CrdSchema>(
	crdFiles
		.map((name) => {
			const text = readFileSync(join(CRDS, name), "utf8");
			return parse(text, { merge: true, maxAliasCount: -1 }).spec;
		})
		.filter(({ names }) => names.categories?.includes("lateen"))
		.map(({ names, versions }) => [
			names.kind,
			versions[0].schema.openAPIV3Schema.properties.spec,
		]),
);

function accept(value: unknown): ApiObject {
	const parsed = parseObject(value);
	if (parsed.kind !== "object") {
		throw new Error(`Not accepted: ${JSON.stringify(parsed)}`);
	}
	return parsed.object;
}

/** Notes which fields of which schema a value sets; a titled schema is the same wherever it occurs. */
function noteUsed(
	schema: CrdSchema,
	value: unknown,
	at: string,
	used: Set<string>,
): void {
	const here = schema.title ?? at;
	used.add(here);
	if (typeof value !== "object" || value === null) return;
	for (const [name, field] of Object.entries(value)) {
		const child =
			schema.properties?.[name] ?? schema.items ?? schema.additionalProperties;
		const step = schema.properties === undefined ? "*" : name;
		used.add(`${here}.${step}`);
		if (child !== undefined) noteUsed(child, field, `${here}.${step}`, used);
	}
}

/** All fields of a schema, under the same names. */
function fieldsOf(schema: CrdSchema, at: string): readonly string[] {
	const here = schema.title ?? at;
	const each = schema.items ?? schema.additionalProperties;
	return [
		here,
		...Object.entries(schema.properties ?? {}).flatMap(([name, child]) => [
			`${here}.${name}`,
			...fieldsOf(child, `${here}.${name}`),
		]),
		...(each === undefined ? [] : fieldsOf(each, `${here}.*`)),
	];
}

function nodesOf(schema: CrdSchema): readonly CrdSchema[] {
	const each = schema.items ?? schema.additionalProperties;
	return [
		schema,
		...Object.values(schema.properties ?? {}).flatMap(nodesOf),
		...(each === undefined ? [] : nodesOf(each)),
	];
}

describe("validation", () => {
	for (const document of documents) {
		const { name } = document["metadata"] as { readonly name: string };
		it(`accepts the ${String(document["kind"])} ${name} as it is`, () => {
			const object = accept(document);
			const given = document["spec"] as object;
			expect("spec" in object && object.spec).to.deep.include(
				Object.fromEntries(
					Object.entries(given).filter(
						([, value]) => typeof value !== "object",
					),
				),
			);
		});
	}

	for (const [kind, schema] of schemas) {
		it(`accepts every field of ${kind}`, () => {
			const used = new Set<string>();
			for (const document of documents) {
				if (document["kind"] !== kind) continue;
				noteUsed(schema, document["spec"], "spec", used);
			}
			const fields = new Set(fieldsOf(schema, "spec"));
			const missing = [...fields].filter((field) => !used.has(field));
			expect(missing).to.deep.equal([]);
		});
	}

	it("bounds every text, list and map, as the cost limits of CEL ask", () => {
		for (const schema of schemas.values()) {
			for (const node of nodesOf(schema)) {
				const isWord = node.enum !== undefined;
				if (node.type === "string" && !isWord) {
					expect(node).to.have.property("maxLength");
				}
				if (node.type === "array") expect(node).to.have.property("maxItems");
				if (node.additionalProperties !== undefined) {
					expect(node).to.have.property("maxProperties");
				}
			}
		}
	});

	it("escapes reserved words in CEL rules, without which an API server refuses the CRD", () => {
		const reserved =
			/\.(true|false|null|in|as|break|const|continue|else|for|function|if|import|let|loop|package|namespace|return|var|void|while)\b/;
		for (const schema of schemas.values()) {
			for (const node of nodesOf(schema)) {
				for (const { rule } of node["x-kubernetes-validations"] ?? []) {
					expect(rule).not.to.match(reserved);
				}
			}
		}
	});

	it("writes no key twice, in a merge and beside it, which strict parsers refuse", () => {
		const check = (value: unknown): void => {
			if (typeof value !== "object" || value === null) return;
			const { "<<": merged, ...own } = value as Record<string, unknown>;
			const both = Object.keys(merged ?? {}).filter((key) => key in own);
			expect(both).to.deep.equal([]);
			for (const child of Object.values(value)) check(child);
		};
		for (const name of crdFiles) {
			const text = readFileSync(join(CRDS, name), "utf8");
			check(parse(text, { maxAliasCount: -1 }));
		}
	});

	it("explains every pattern in words", () => {
		for (const schema of schemas.values()) {
			for (const { pattern, title } of nodesOf(schema)) {
				if (pattern === undefined) continue;
				const message = explainFailure({
					instancePath: "",
					keyword: "pattern",
					params: {},
					parentSchema: { title },
					data: "?",
				});
				expect(message, String(pattern)).to.match(/not (a|the name of a) /);
			}
		}
	});

	it("fills in defaults and leaves the given object alone", () => {
		const given = {
			apiVersion: "lateen.dev/v1alpha1",
			kind: "RouteRule",
			metadata: { name: "a" },
			spec: { destination: { name: "b" }, route: [{}], retries: {} },
		};
		const before = structuredClone(given);
		const object = accept(given);
		expect(given).to.deep.equal(before);
		expect(object).to.deep.equal({
			kind: "RouteRule",
			metadata: {
				namespace: "default",
				name: "a",
				labels: {},
				annotations: {},
				generation: 1,
				createdMs: 0,
			},
			spec: {
				destination: { name: "b" },
				precedence: 0,
				route: [{ weight: 1 }],
				retries: {
					attempts: 2,
					on: [
						"gateway-error",
						"connect-failure",
						"refused-stream",
						"reset-before-request",
						"unavailable",
					],
					retryOtherHosts: true,
				},
			},
		});
	});

	it("fills in a Mesh without spec", () => {
		const object = accept({
			apiVersion: "lateen.dev/v1alpha1",
			kind: "Mesh",
			metadata: { name: "default" },
		});
		expect("spec" in object && object.spec).to.deep.equal({
			trustDomain: "cluster.local",
			clusterDomain: "cluster.local",
			rootNamespace: "lateen-system",
			outboundTraffic: "AllowAny",
			injection: {
				sidecar: "Auto",
				proxyUser: 1337,
				logLevel: "warning",
				concurrency: 2,
				resources: {
					requests: { cpu: "50m", memory: "64Mi" },
					limits: { memory: "512Mi" },
				},
				stopDelay: "5s",
			},
		});
	});

	it("takes what an API server adds to an object", () => {
		const object = accept({
			apiVersion: "lateen.dev/v1alpha1",
			kind: "RouteRule",
			metadata: {
				name: "a",
				namespace: "shop",
				uid: "1",
				resourceVersion: "5",
				generation: 3,
				creationTimestamp: "1970-01-01T00:00:01Z",
				labels: { team: "x" },
				managedFields: [],
			},
			spec: { destination: { name: "b" } },
			status: { conditions: [{ type: "Ready", status: "True" }] },
		});
		expect(object.metadata).to.deep.equal({
			namespace: "shop",
			name: "a",
			labels: { team: "x" },
			annotations: {},
			generation: 3,
			createdMs: 1000,
			uid: "1",
		});
	});

	it("ignores kinds that are not read", () => {
		expect(
			parseObject({ apiVersion: "apps/v1", kind: "Deployment" }),
		).to.deep.equal({
			kind: "ignored",
			apiVersion: "apps/v1",
			kindName: "Deployment",
		});
		expect(
			parseObject({ apiVersion: "serving.knative.dev/v1", kind: "Service" }),
		).to.deep.include({ kind: "ignored" });
	});
});
