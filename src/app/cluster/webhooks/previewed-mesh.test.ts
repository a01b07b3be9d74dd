import { expect } from "chai";
import {
	externalService,
	objects,
	routeRule,
	service,
} from "../../../../test/testkit/objects.ts";
import type { ApiObject, Objects } from "../../../api/objects.ts";
import { buildMesh, type MeshBuild } from "../../../mesh/build.ts";
import { PreviewedMesh } from "./previewed-mesh.ts";

const late = { createdMs: 9000 };

function keep(mesh: PreviewedMesh, stored: Objects): MeshBuild {
	return mesh.keep(stored, buildMesh(stored));
}

function preview(
	stored: readonly ApiObject[],
	asked: ApiObject,
): readonly string[] | undefined {
	const mesh = new PreviewedMesh();
	keep(mesh, objects(...stored));
	return mesh
		.findingsOf(asked)
		?.map(
			({ about, reason, isNew }) =>
				`${about.name} ${reason}${isNew ? "" : " already"}`,
		);
}

describe("PreviewedMesh", () => {
	it("knows nothing before the first build", () => {
		expect(new PreviewedMesh().findingsOf(routeRule("a"))).to.equal(undefined);
	});

	it("finds that a destination is missing", () => {
		expect(preview([], routeRule("a"))).to.deep.equal([
			"a DestinationNotFound",
		]);
	});

	it("finds nothing when everything is there", () => {
		expect(preview([service("a")], routeRule("a"))).to.deep.equal([]);
	});

	it("finds that a rule is shadowed by one that is stored", () => {
		const stored = [service("a"), routeRule("a")];
		const asked = routeRule("b", { destination: { name: "a" } }, late);
		expect(preview(stored, asked)).to.deep.equal(["b Shadowed"]);
	});

	it("finds that a stored rule would be shadowed", () => {
		const stored = [service("a"), routeRule("a")];
		const asked = routeRule(
			"b",
			{ destination: { name: "a" }, precedence: 1 },
			late,
		);
		expect(preview(stored, asked)).to.deep.equal(["a Shadowed"]);
	});

	it("tells what holds already from what is new", () => {
		expect(preview([routeRule("a")], routeRule("a"))).to.deep.equal([
			"a DestinationNotFound already",
		]);
	});

	it("says nothing of what other objects suffer from anyway", () => {
		expect(
			preview([routeRule("a"), service("b")], routeRule("b")),
		).to.deep.equal([]);
	});

	it("finds a claim on another's host", () => {
		const stored = [externalService("a", { hosts: ["x.example.com"] })];
		const asked = externalService("b", { hosts: ["x.example.com"] }, late);
		expect(preview(stored, asked)).to.deep.equal(["b Conflict"]);
	});

	it("leaves the newest build as it is", () => {
		const mesh = new PreviewedMesh();
		const stored = objects(service("a"), routeRule("a"));
		const first = keep(mesh, stored);
		mesh.findingsOf(routeRule("b", { destination: { name: "a" } }, late));
		expect(buildMesh(stored, first).mesh).to.equal(first.mesh);
		expect(first.mesh).to.deep.equal(buildMesh(stored).mesh);
	});
});
