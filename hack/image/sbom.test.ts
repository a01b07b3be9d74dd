import { expect } from "chai";
import { Layer } from "./layer.ts";
import type { Part, Recipe } from "./recipe.ts";
import { licenceOf, sbomOf } from "./sbom.ts";

const digest = `sha256:${"0".repeat(64)}`;

function recipeOf(...parts: readonly Part[]): Recipe {
	return {
		name: "some",
		title: "Some",
		description: "An image",
		layers: [new Layer("base", new Map())],
		parts,
		user: { name: "nobody", id: 65534 },
		entrypoint: ["/usr/bin/some"],
		environment: {},
	};
}

function part(name: string, licence = "MIT"): Part {
	return { name, version: "1.0.0", licence, purl: `pkg:npm/${name}@1.0.0` };
}

interface Spdx {
	readonly packages: readonly {
		readonly SPDXID: string;
		readonly name: string;
	}[];
	readonly relationships: readonly { readonly relatedSpdxElement: string }[];
	readonly documentNamespace: string;
}

function sbom(recipe: Recipe): Spdx {
	const provenance = { version: "1.2.3", createdSeconds: 0 };
	const subject = { digest, created: "1970-01-01T00:00:00Z" };
	return sbomOf(recipe, provenance, subject) as Spdx;
}

describe("sbomOf", () => {
	it("names the image and each part by an id of its own that SPDX allows", () => {
		const { packages, relationships } = sbom(
			recipeOf(part("@a/b"), part("libstdc++"), part("c")),
		);
		expect(packages.map(({ name }) => name)).have.members([
			...["some", "@a/b", "libstdc++", "c"],
		]);
		const ids = packages.map(({ SPDXID }) => SPDXID);
		expect(new Set(ids).size).equal(ids.length);
		for (const id of ids) expect(id).match(/^SPDXRef-[A-Za-z0-9.-]+$/);
		expect(
			relationships.map(({ relatedSpdxElement }) => relatedSpdxElement),
		).have.members(ids);
	});

	it("has another namespace when a part is another", () => {
		const namespace = (name: string): string =>
			sbom(recipeOf(part(name))).documentNamespace;
		expect(namespace("a")).equal(namespace("a"));
		expect(namespace("a")).not.equal(namespace("b"));
	});
});

describe("licenceOf", () => {
	it("joins the licences of all parts, each once, and keeps choices together", () => {
		expect(
			licenceOf(
				recipeOf(
					part("a", "MIT"),
					part("b", "(Apache-2.0 AND MIT)"),
					part("c", "GPL-2.0-or-later OR LGPL-3.0-or-later"),
				),
			),
		).equal("(GPL-2.0-or-later OR LGPL-3.0-or-later) AND Apache-2.0 AND MIT");
	});
});
