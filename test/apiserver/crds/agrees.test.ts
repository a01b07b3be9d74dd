import { expect } from "chai";
import fc from "fast-check";
import { parseObject } from "../../../src/api/parse-object.ts";
import {
	ApiClient,
	newNamespace,
	sharedCluster,
} from "../../testkit/kube-cluster.ts";
import { anyRule, withOneChange } from "../../validation/any-rule.ts";

describe("a real API server", () => {
	let client: ApiClient;
	let collection: string;
	before(async () => {
		const cluster = await sharedCluster();
		const namespace = await newNamespace(cluster);
		collection = `/apis/lateen.dev/v1alpha1/namespaces/${namespace}/routerules`;
		client = await ApiClient.of(cluster);
	});
	after(() => client[Symbol.dispose]());

	/** Fails unless the server takes what we take, with the same defaults. */
	async function expectAgreement(object: unknown): Promise<boolean> {
		const parsed = parseObject(object);
		if (parsed.kind !== "object" || !("spec" in parsed.object)) return false;
		const { status, body } = await client.ask(
			"POST",
			`${collection}?dryRun=All&fieldValidation=Strict`,
			object,
		);
		expect(status, JSON.stringify(body)).to.equal(201);
		const { spec } = body as { readonly spec: unknown };
		expect(spec).to.deep.equal(parsed.object.spec);
		return true;
	}

	it("takes every rule that lateen takes, and reads the same into it", async () => {
		await fc.assert(
			fc.asyncProperty(anyRule, async ({ metadata: { name }, ...rest }) => {
				expect(await expectAgreement({ ...rest, metadata: { name } })).to.equal(
					true,
				);
			}),
			{ numRuns: 150 },
		);
	});

	it("takes every rule with one odd value that lateen takes", async () => {
		const other = fc.oneof(
			fc.constantFrom<unknown>([], {}, "", "80", -1, 0, 1e9, 0.5, true),
			fc.jsonValue(),
		);
		await fc.assert(
			fc.asyncProperty(
				anyRule,
				fc.integer({ min: 1, max: 60 }),
				other,
				async ({ metadata: { name }, ...rest }, where, value) => {
					const spec = withOneChange(rest.spec, where, value).value;
					await expectAgreement({ ...rest, metadata: { name }, spec });
				},
			),
			{ numRuns: 400 },
		);
	});
});
