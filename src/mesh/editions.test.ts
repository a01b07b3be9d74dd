import { expect } from "chai";
import {
	endpointSlice,
	objects,
	routeRule,
	service,
} from "../../test/testkit/objects.ts";
import { buildMesh } from "./build.ts";
import { buildEditions, type EditionForms } from "./editions.ts";
import { routeTableKey } from "./mesh.ts";
import type { Hostname } from "./service.ts";

function rule(word: string) {
	return routeRule("a", { respond: { status: 200, body: word } });
}

const services = ["a", "b", "c"].flatMap((name) => [
	service(name),
	endpointSlice(name, { endpoints: ["10.0.0.1"] }),
]);
const newer = objects(...services, rule("newer"));
const older = { ...newer, RouteRule: objects(rule("older")).RouteRule };

const older130: EditionForms = {
	id: "envoy 1.30.0",
	software: new Set(["envoy 1.30.0"]),
	proxies: new Set(),
	objects: older,
	withheld: [],
};

function tableKey(name: string): string {
	const hostname = `${name}.default.svc.cluster.local` as Hostname;
	return routeTableKey(hostname, 9080);
}

describe("buildEditions", () => {
	it("makes of an edition what its objects make alone", () => {
		const { mesh, editions } = buildEditions({
			objects: newer,
			editions: [older130],
		});
		expect(mesh).to.deep.equal(buildMesh(newer).mesh);
		expect(editions.map(({ mesh }) => mesh)).to.deep.equal([
			buildMesh(older).mesh,
		]);
	});

	it("shares by reference what an edition has like everybody else", () => {
		const { mesh, editions } = buildEditions({
			objects: newer,
			editions: [older130],
		});
		const [edition] = editions;
		expect(edition?.mesh.services).to.equal(mesh.services);
		expect(edition?.mesh.endpoints).to.equal(mesh.endpoints);
		const at = (name: string) => edition?.mesh.routes.get(tableKey(name));
		expect(at("b")).to.equal(mesh.routes.get(tableKey("b")));
		expect(at("a")).not.to.equal(mesh.routes.get(tableKey("a")));
		expect(at("a")).not.to.equal(undefined);
	});

	it("hands back the same editions while nothing differs", () => {
		const forms = { objects: newer, editions: [older130] };
		const first = buildEditions(forms);
		expect(buildEditions(forms, first).editions).to.equal(first.editions);
		const none = { objects: newer, editions: [] };
		const without = buildEditions(none);
		expect(buildEditions(none, without).editions).to.equal(without.editions);
	});

	it("tells another list when only what is said about an edition differs", () => {
		const first = buildEditions({ objects: newer, editions: [older130] });
		const said = { ...older130, software: new Set(["envoy 1.29.0"]) };
		const next = buildEditions({ objects: newer, editions: [said] }, first);
		expect(next.editions).not.to.equal(first.editions);
		expect(next.editions[0]?.mesh).to.equal(first.editions[0]?.mesh);
		expect(next.mesh).to.equal(first.mesh);
	});
});
