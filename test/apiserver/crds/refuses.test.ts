import { expect } from "chai";
import { collectCelRules } from "../../../hack/crd-schema.ts";
import { parseObject } from "../../../src/api/parse-object.ts";
import type { Violation } from "../../../src/api/violation.ts";
import {
	ApiClient,
	newNamespace,
	sharedCluster,
} from "../../testkit/kube-cluster.ts";
import {
	type BadObject,
	badByCel,
	badExternalServices,
	badHeads,
	badMeanings,
	badShapes,
} from "../../validation/bad-objects.ts";
import { type Crd, collectionOf, readCrds, schemaOf } from "./crd-files.ts";
import { asServerPath, type Refusal, refusalsOf } from "./refusals.ts";

const crds = readCrds();

/** What no structural schema says; `lateen validate` and the admission webhook do. */
const BEYOND_SCHEMAS = new Set([
	// The API server takes it for a field that is absent.
	"a null",
	// A node that is a string or an object has no type, so nothing is said of it.
	"an unknown test in a string match",
	"a number for a string match",
]);

/** The server leaves out the CEL rules of an object whose shape is wrong, and says so. */
const NOT_ALL_CHECKED = "some validation rules were not checked";

describe("the CRDs on a real API server", () => {
	let client: ApiClient;
	let namespace: string;
	/** CEL rules that refused something, as `place: text`. */
	const seen = new Set<string>();

	before(async () => {
		const cluster = await sharedCluster();
		namespace = await newNamespace(cluster);
		client = await ApiClient.of(cluster);
	});
	after(() => client[Symbol.dispose]());

	async function refuse(object: unknown): Promise<readonly Refusal[]> {
		const crd = crdOf(object);
		const answer = await client.ask(
			"POST",
			`${collectionOf(crd, namespace)}?dryRun=All&fieldValidation=Strict`,
			object,
		);
		return refusalsOf(answer);
	}

	describe("refuse by their CEL rules, in the words of lateen validate,", () => {
		const all: readonly BadObject[] = [
			...badByCel,
			...badShapes,
			...badExternalServices,
			...badMeanings,
		];
		for (const bad of all) {
			const texts = celTextsOf(crdOf(bad.object));
			const ours = violationsOf(bad.object)
				.filter(({ message }) => texts.has(message))
				.map(({ path, message }) => `${asServerPath(path)}: ${message}`);
			if (ours.length === 0) continue;

			it(bad.name, async () => {
				const refusals = await refuse(bad.object);
				const theirs = refusals
					.map(({ path, message }) => ({
						path,
						message: message.replace(/^Invalid value: /, ""),
					}))
					.filter(({ message }) => texts.has(message));
				expect(
					theirs.map(({ path, message }) => `${path}: ${message}`),
				).to.have.members(ours);
				const { kind } = bad.object as { kind: string };
				for (const { path, message } of theirs) {
					seen.add(`${kind} ${path.replaceAll(/\[\d+\]/g, ".*")}: ${message}`);
				}
			});
		}

		it("each of which is seen to refuse", () => {
			const rules = ["ExternalService", "Mesh", "RouteRule"].flatMap((kind) =>
				collectCelRules(schemaOf(named(kind))).map(
					({ at, fieldPath = "", message }) =>
						`${kind} ${at.join(".")}${fieldPath}: ${message}`,
				),
			);
			expect(rules).to.have.length.above(15);
			expect([...seen]).to.include.members(rules);
		});
	});

	describe("refuse by their schema, at the field that lateen validate names,", () => {
		for (const bad of badShapes) {
			if (BEYOND_SCHEMAS.has(bad.name)) continue;
			it(bad.name, async () => {
				const refusals = await refuse(bad.object);
				const paths = refusals
					.filter(({ message }) => !message.includes(NOT_ALL_CHECKED))
					.map(({ path }) => path);
				expect(
					paths.some((path) => isAbout(path, asServerPath(bad.path))),
					JSON.stringify(refusals),
				).to.equal(true);
			});
		}
	});

	it("refuse what is wrong with the head of an object", async () => {
		const ofOurKinds = badHeads.filter(
			({ object }) => findCrd(object) !== undefined,
		);
		expect(ofOurKinds).to.have.length.above(5);
		for (const { name, object } of ofOurKinds) {
			expect(await refuse(object), name).not.to.be.empty;
		}
	});
});

/** An object in place of a list is told as its first unknown field. */
function isAbout(path: string, expected: string): boolean {
	return path === expected || path.startsWith(`${expected}.`);
}

function violationsOf(object: unknown): readonly Violation[] {
	const parsed = parseObject(object);
	return parsed.kind === "invalid" ? parsed.invalid.violations : [];
}

function celTextsOf(crd: Crd): ReadonlySet<string> {
	return new Set(
		collectCelRules(schemaOf(crd)).map(({ message }) => message ?? ""),
	);
}

function crdOf(object: unknown): Crd {
	const crd = findCrd(object);
	if (crd === undefined) throw new Error("The object is of no kind of ours.");
	return crd;
}

function findCrd(object: unknown): Crd | undefined {
	const { kind } = (object ?? {}) as { readonly kind?: string };
	return kind === undefined ? undefined : crds.get(kind);
}

function named(kind: string): Crd {
	return crdOf({ kind });
}
