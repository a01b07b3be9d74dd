import { expect } from "chai";
import {
	endpointSlice,
	externalService,
	mesh,
	objects,
	routeRule,
	service,
} from "../../test/testkit/objects.ts";
import type { ApiObject } from "../api/objects.ts";
import { buildMesh } from "./build.ts";

function servicesOf(...list: readonly ApiObject[]) {
	return buildMesh(objects(...list)).mesh.services;
}

function findingsOf(...list: readonly ApiObject[]) {
	return buildMesh(objects(...list)).findings;
}

describe("services from Kubernetes Services", () => {
	it("have every name that clients use", () => {
		const found = servicesOf(service("reviews")).get(
			"reviews.default.svc.cluster.local",
		);
		expect(found?.hosts).to.deep.equal([
			"reviews.default.svc.cluster.local",
			"reviews.default.svc",
			"reviews.default",
		]);
		expect(found?.localHosts).to.deep.equal(["reviews"]);
		expect(found?.external).to.equal(false);
	});

	it("are named below the mesh's cluster domain", () => {
		const found = servicesOf(
			service("reviews"),
			mesh({ clusterDomain: "example.org" }),
		);
		expect([...found.keys()]).to.deep.equal([
			"reviews.default.svc.example.org",
		]);
	});

	it("list their TCP ports in order and leave the others out", () => {
		const found = servicesOf(
			service("dns", {
				ports: [
					{ port: 9153, name: "http-metrics" },
					{ port: 53, name: "dns", protocol: "UDP" },
					{ port: 53, name: "dns-tcp", protocol: "TCP" },
				],
			}),
		).get("dns.default.svc.cluster.local");
		expect(found?.ports).to.deep.equal([
			{ number: 53, name: "dns-tcp", protocol: "sniffed" },
			{ number: 9153, name: "http-metrics", protocol: "http" },
		]);
	});

	const resolutions = [
		{
			name: "list their endpoints",
			list: [service("a", { clusterIPs: ["10.0.0.1"] })],
			want: "listed",
		},
		{
			name: "are headless without a cluster IP",
			list: [service("a", { headless: true })],
			want: "headless",
		},
		{
			name: "are found by DNS when they are ExternalName",
			list: [
				service("a", { type: "ExternalName", externalName: "db.example.com" }),
			],
			want: "dns",
		},
		{
			name: "are found by DNS when a slice lists names",
			list: [
				service("a", { selector: {} }),
				endpointSlice("a", {
					addressType: "FQDN",
					endpoints: ["db.example.com"],
				}),
			],
			want: "dns",
		},
	] as const;
	for (const { name, list, want } of resolutions) {
		it(name, () =>
			expect(
				servicesOf(...list).get("a.default.svc.cluster.local")?.resolution,
			).to.equal(want),
		);
	}

	it("say so when they are ExternalName without a name", () => {
		const [finding] = findingsOf(service("a", { type: "ExternalName" }));
		expect(finding).to.deep.include({
			reason: "Unusable",
			path: "spec.externalName",
		});
	});
});

describe("services from ExternalServices", () => {
	it("are one per host, lower-case, with the addresses at the first", () => {
		const found = servicesOf(
			externalService("api", {
				hosts: ["API.example.com", "*.example.org"],
				addresses: ["192.0.2.1"],
			}),
		);
		expect([...found.keys()]).to.deep.equal([
			"*.example.org",
			"api.example.com",
		]);
		expect(found.get("api.example.com")?.addresses).to.deep.equal([
			"192.0.2.1",
		]);
		expect(found.get("*.example.org")?.addresses).to.deep.equal([]);
	});

	for (const [resolution, want] of [
		["None", "passthrough"],
		["Static", "listed"],
		["DNS", "dns"],
	] as const) {
		it(`with resolution ${resolution} are ${want}`, () => {
			const found = servicesOf(externalService("api", { resolution }));
			expect(found.get("api.example.com")?.resolution).to.equal(want);
		});
	}

	it("keep protocol and TLS of each port", () => {
		const found = servicesOf(
			externalService("api", {
				ports: [
					{
						number: 80,
						name: "http",
						protocol: "HTTP",
						tls: { sni: "sni.example.com", insecureSkipVerify: false },
					},
					{ number: 443, name: "tls", protocol: "HTTPS" },
				],
			}),
		);
		expect(found.get("api.example.com")?.ports).to.deep.equal([
			{
				number: 80,
				name: "http",
				protocol: "http",
				tls: {
					sni: "sni.example.com",
					subjectAltNames: [],
					insecureSkipVerify: false,
				},
			},
			{ number: 443, name: "tls", protocol: "tls" },
		]);
	});

	it("exist for exact hosts below a wildcard that a rule names", () => {
		const found = servicesOf(
			externalService("all", { hosts: ["*.example.com"] }),
			routeRule("one", { destination: { host: "api.v2.example.com" } }),
		);
		expect([...found.keys()]).to.deep.equal([
			"*.example.com",
			"api.v2.example.com",
		]);
	});

	it("take the most specific wildcard for a host below several", () => {
		const found = servicesOf(
			externalService("far", { hosts: ["*.com"] }),
			externalService("near", { hosts: ["*.example.com"] }),
			routeRule("one", { destination: { host: "api.example.com" } }),
		);
		expect(found.get("api.example.com")?.name).to.equal("near");
	});

	const unusable = [
		{
			name: "say so when they are static without endpoints",
			fields: { resolution: "Static" },
			path: "spec.endpoints",
		},
		{
			name: "say so when a static endpoint is not an address",
			fields: {
				resolution: "Static",
				endpoints: [{ address: "one.example.com" }],
			},
			path: "spec.endpoints[0].address",
		},
		{
			name: "say so when a wildcard would have to be looked up",
			fields: { resolution: "DNS", hosts: ["a.b", "*.example.com"] },
			path: "spec.hosts[1]",
		},
	] as const;
	for (const { name, fields, path } of unusable) {
		it(name, () => {
			const findings = findingsOf(externalService("api", fields));
			expect(findings.map((finding) => finding.path)).to.deep.equal([path]);
			expect(findings[0]?.reason).to.equal("Unusable");
		});
	}
});

describe("conflicting hosts and addresses", () => {
	it("belong to a Service before an ExternalService, however young", () => {
		const list = [
			service("reviews", {}, { createdMs: 9 }),
			externalService(
				"thief",
				{ hosts: ["reviews.default.svc.cluster.local", "own.example.com"] },
				{ createdMs: 1 },
			),
		];
		const found = servicesOf(...list);
		expect(found.get("reviews.default.svc.cluster.local")?.external).to.equal(
			false,
		);
		expect(found.has("own.example.com")).to.equal(true);
		const findings = findingsOf(...list);
		expect(findings).to.have.length(1);
		expect(findings[0]).to.deep.include({
			about: { kind: "ExternalService", namespace: "default", name: "thief" },
			condition: "Accepted",
			reason: "Conflict",
			path: "spec.hosts[0]",
		});
		expect(findings[0]?.message).to.contain("Service default/reviews");
	});

	for (const host of ["reviews", "reviews.default", "reviews.default.svc"]) {
		it(`include ${host}, by which some callers mean a Service`, () => {
			const findings = findingsOf(
				service("reviews"),
				externalService("thief", { hosts: [host] }),
			);
			expect(findings.map(({ reason }) => reason)).to.deep.equal(["Conflict"]);
		});
	}

	it("belong to the older ExternalService", () => {
		const list = [
			externalService("a/one", { hosts: ["x.example.com"] }, { createdMs: 2 }),
			externalService("b/two", { hosts: ["x.example.com"] }, { createdMs: 1 }),
		];
		expect(servicesOf(...list).get("x.example.com")?.name).to.equal("two");
		expect(findingsOf(...list)[0]?.about.name).to.equal("one");
	});

	it("belong to the first by namespace and name among the equally old", () => {
		const list = [
			externalService("b/one", { hosts: ["x.example.com"] }),
			externalService("a/two", { hosts: ["x.example.com"] }),
		];
		expect(servicesOf(...list).get("x.example.com")?.name).to.equal("two");
	});

	it("cost the loser that address alone", () => {
		const list = [
			service("a", { clusterIPs: ["10.0.0.1", "fd00::1"] }, { createdMs: 2 }),
			service("b", { clusterIPs: ["10.0.0.1"] }, { createdMs: 1 }),
		];
		const found = servicesOf(...list);
		expect(found.get("a.default.svc.cluster.local")?.addresses).to.deep.equal([
			"fd00::1",
		]);
		expect(found.get("b.default.svc.cluster.local")?.addresses).to.deep.equal([
			"10.0.0.1",
		]);
		expect(findingsOf(...list)).to.have.length(1);
	});
});

describe("Mesh objects", () => {
	it("say so when they are not named default", () => {
		const { mesh: built, findings } = buildMesh(
			objects(mesh({ trustDomain: "other.example" }, "other")),
		);
		expect(built.options.trustDomain).to.equal("cluster.local");
		expect(findings.map(({ reason }) => reason)).to.deep.equal(["Conflict"]);
	});
});
