import { expect } from "chai";
import type { CrdSchema } from "../../../hack/crd-schema.ts";
import {
	ApiClient,
	type KubeCluster,
	kubectl,
	sharedCluster,
} from "../../testkit/kube-cluster.ts";
import { readCrds } from "./crd-files.ts";

/** What the API server has about objects of every kind, in its own words. */
const FOREIGN = new Set(["apiVersion", "kind", "metadata"]);

describe("kubectl explain", () => {
	let cluster: KubeCluster;
	before(async () => {
		cluster = await sharedCluster();
	});

	it("has a sentence for every field and every column of every kind of ours", async () => {
		using client = await ApiClient.of(cluster);
		const { body } = await client.ask(
			"GET",
			"/openapi/v3/apis/lateen.dev/v1alpha1",
		);
		const { schemas } = (
			body as {
				readonly components: { schemas: Readonly<Record<string, CrdSchema>> };
			}
		).components;
		let fields = 0;
		for (const [kind, crd] of readCrds()) {
			const schema = schemas[`dev.lateen.v1alpha1.${kind}`];
			if (schema === undefined) throw new Error(`${kind} is not published.`);
			expect(schema.description, kind).to.match(/[.]$/);
			for (const { at, description } of fieldsOf(schema, kind)) {
				expect(description, at).to.be.a("string");
				expect(description?.trim(), at).to.match(/^(gRPC |["`A-Z]).*[.]$/s);
				fields += 1;
			}
			const columns = crd.spec.versions[0]?.additionalPrinterColumns ?? [];
			for (const { name, description } of columns) {
				expect(description, `column ${name} of ${kind}`).to.match(/[.]$/);
			}
		}
		expect(fields).to.be.above(150);
	});

	it("reads well where a field may be a string or an object", async () => {
		const page = await kubectl(cluster, ["explain", "rr.spec.match.path"]);
		expect(page).to.contain("A bare string means exact.");
		expect(page).to.match(/regex\s+<string>\n\s+A regular expression in RE2/);
	});

	it("shows the whole tree of a kind by its short name", async () => {
		const tree = await kubectl(cluster, ["explain", "rr.spec", "--recursive"]);
		for (const field of ["destination", "precedence", "retries", "mirror"]) {
			expect(tree).to.match(new RegExp(`^ {2}${field}\\s+<`, "m"));
		}
		expect(tree).to.match(/code\s+<integer>\n\s*enum: 301, 302/);
	});
});

interface Described {
	readonly at: string;
	readonly description?: string | undefined;
}

/** Every named field, however deep. */
function fieldsOf(schema: CrdSchema, at: string): readonly Described[] {
	const { properties = {}, items, additionalProperties } = schema;
	return [
		...Object.entries(properties)
			.filter(([name]) => at.includes(".") || !FOREIGN.has(name))
			.flatMap(([name, child]) => [
				{ at: `${at}.${name}`, description: child.description },
				...fieldsOf(child, `${at}.${name}`),
			]),
		...(items ? fieldsOf(items, `${at}[]`) : []),
		...(additionalProperties ? fieldsOf(additionalProperties, `${at}[]`) : []),
	];
}
