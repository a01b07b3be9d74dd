import { expect } from "chai";
import {
	endpointSlice,
	externalService,
	node,
	objects,
	pod,
	service,
} from "../../test/testkit/objects.ts";
import type { ApiObject } from "../api/objects.ts";
import { buildMesh } from "./build.ts";

const reviews = "reviews.default.svc.cluster.local";

function endpointsOf(...list: readonly ApiObject[]) {
	return buildMesh(objects(...list)).mesh.endpoints;
}

function reviewsOf(...list: readonly ApiObject[]) {
	return endpointsOf(service("reviews"), ...list).get(reviews) ?? [];
}

function healthsOf(...list: readonly ApiObject[]) {
	return reviewsOf(...list).map(({ health }) => health);
}

describe("endpoints from EndpointSlices", () => {
	it("come from all slices of the Service, in order of address", () => {
		const found = reviewsOf(
			endpointSlice("r-2", {
				serviceName: "reviews",
				endpoints: ["10.0.0.3", "10.0.0.1"],
			}),
			endpointSlice("r-1", { serviceName: "reviews", endpoints: ["10.0.0.2"] }),
		);
		expect(found.map(({ address }) => address)).to.deep.equal([
			"10.0.0.1",
			"10.0.0.2",
			"10.0.0.3",
		]);
	});

	it("map the Service's ports to the slice's by name", () => {
		const [found] =
			endpointsOf(
				service("reviews", {
					ports: [
						{ port: 80, name: "http" },
						{ port: 81, name: "admin" },
					],
				}),
				endpointSlice("reviews", {
					ports: [{ name: "http", port: 8080 }],
					endpoints: ["10.0.0.1"],
				}),
			).get(reviews) ?? [];
		expect([...(found?.ports ?? [])]).to.deep.equal([[80, 8080]]);
	});

	it("count once when slices repeat them", () => {
		const found = reviewsOf(
			endpointSlice("a", { serviceName: "reviews", endpoints: ["10.0.0.1"] }),
			endpointSlice("b", { serviceName: "reviews", endpoints: ["10.0.0.1"] }),
		);
		expect(found).to.have.length(1);
	});

	it("count as two when one address serves on different ports", () => {
		const found = reviewsOf(
			endpointSlice("a", {
				serviceName: "reviews",
				ports: [{ name: "http", port: 1 }],
				endpoints: ["10.0.0.1"],
			}),
			endpointSlice("b", {
				serviceName: "reviews",
				ports: [{ name: "http", port: 2 }],
				endpoints: ["10.0.0.1"],
			}),
		);
		expect(found).to.have.length(2);
	});

	const states = [
		{
			name: "are left out while not ready",
			state: { ready: false },
			want: [],
		},
		{
			name: "drain while they terminate and still serve",
			state: { ready: false, serving: true, terminating: true },
			want: ["draining"],
		},
		{
			name: "are left out when they terminate and do not serve",
			state: { ready: false, serving: false, terminating: true },
			want: [],
		},
		{ name: "are healthy when ready", state: {}, want: ["healthy"] },
	] as const;
	for (const { name, state, want } of states) {
		it(name, () => {
			const slice = endpointSlice("reviews", {
				endpoints: [{ addresses: ["10.0.0.1"], ...state }],
			});
			expect(healthsOf(slice)).to.deep.equal(want);
		});
	}

	const r1 = { addresses: ["10.0.0.1"], pod: "r1" };
	const ofKubernetes = {
		labels: {
			"endpointslice.kubernetes.io/managed-by":
				"endpointslice-controller.k8s.io",
		},
	};

	it("drain as soon as their Pod is told to go, whatever their slice says still", () => {
		const going = pod("r1", { ips: ["10.0.0.1"], terminating: true });
		for (const endpoint of [r1, "10.0.0.1"]) {
			const slice = endpointSlice("reviews", { endpoints: [endpoint] });
			expect(healthsOf(slice, going)).to.deep.equal(["draining"]);
		}
		const unready = { ...r1, ready: false, serving: false };
		expect(
			healthsOf(endpointSlice("reviews", { endpoints: [unready] }), going),
		).to.deep.equal([]);
	});

	it("go with their Pod, although Kubernetes' slice lists them still", () => {
		const slice = endpointSlice(
			"reviews",
			{ endpoints: [r1, "10.0.0.2"] },
			ofKubernetes,
		);
		const there = pod("r1", { ips: ["fd::1", "10.0.0.1"] });
		expect(healthsOf(slice, there)).to.deep.equal(["healthy", "healthy"]);
		expect(healthsOf(slice)).to.deep.equal(["healthy"]);
		// As in a StatefulSet.
		const anew = pod("r1", { ips: [] });
		expect(healthsOf(slice, anew)).to.deep.equal(["healthy"]);
	});

	it("need no Pod in a slice that somebody else wrote", () => {
		const slice = endpointSlice("reviews", { endpoints: [r1] });
		expect(healthsOf(slice)).to.deep.equal(["healthy"]);
		expect(healthsOf(slice, pod("r1"))).to.deep.equal(["healthy"]);
	});

	it("have the labels of the Pod that the slice names", () => {
		const [found] = reviewsOf(
			endpointSlice("reviews", {
				endpoints: [{ addresses: ["10.0.0.1"], pod: "r1" }],
			}),
			pod("r1", {}, { labels: { version: "v1" } }),
		);
		expect(found?.labels).to.deep.equal({ version: "v1" });
		expect(found?.workload).to.equal("default/r1");
	});

	it("have the labels of the Pod with their address when the slice names none", () => {
		const [found] = reviewsOf(
			endpointSlice("reviews", { endpoints: ["10.0.0.1"] }),
			pod("r1", { ips: ["10.0.0.1"] }, { labels: { version: "v1" } }),
			pod("other/r2", { ips: ["10.0.0.1"] }, { labels: { version: "v2" } }),
		);
		expect(found?.workload).to.equal("default/r1");
	});

	it("do not guess between Pods that share an address", () => {
		const [found] = reviewsOf(
			endpointSlice("reviews", { endpoints: ["10.0.0.1"] }),
			pod("r1", { ips: ["10.0.0.1"] }),
			pod("r2", { ips: ["10.0.0.1"] }),
		);
		expect(found?.workload).to.equal(undefined);
	});

	it("have the slice's own labels without a Pod, but not those of Kubernetes", () => {
		const [found] = reviewsOf(
			endpointSlice(
				"reviews",
				{ endpoints: ["10.0.0.1"] },
				{
					labels: {
						version: "v3",
						"kubernetes.io/service-name": "reviews",
						"endpointslice.kubernetes.io/managed-by": "me",
					},
				},
			),
		);
		expect(found?.labels).to.deep.equal({ version: "v3" });
	});

	it("are where their Node is", () => {
		const [found] = reviewsOf(
			endpointSlice("reviews", {
				endpoints: [{ addresses: ["10.0.0.1"], pod: "r1" }],
			}),
			pod("r1", { nodeName: "n1" }),
			node("n1", "eu", "eu-1"),
		);
		expect(found?.locality).to.deep.equal({ region: "eu", zone: "eu-1" });
	});

	it("are in the zone that the slice says", () => {
		const [found] = reviewsOf(
			endpointSlice("reviews", {
				endpoints: [{ addresses: ["10.0.0.1"], nodeName: "n1", zone: "eu-2" }],
			}),
			node("n1", "eu", "eu-1"),
		);
		expect(found?.locality).to.deep.equal({ region: "eu", zone: "eu-2" });
	});

	it("are of the Service's first IP family when its Pods have two", () => {
		const found = endpointsOf(
			service("reviews", { clusterIPs: ["fd00::1", "10.9.0.1"] }),
			endpointSlice("r-4", { serviceName: "reviews", endpoints: ["10.0.0.1"] }),
			endpointSlice("r-6", {
				serviceName: "reviews",
				addressType: "IPv6",
				endpoints: ["fd00::9"],
			}),
		).get(reviews);
		expect(found?.map(({ address }) => address)).to.deep.equal(["fd00::9"]);
	});

	it("that belong to no Service are a finding about their slice", () => {
		const { findings } = buildMesh(
			objects(
				endpointSlice("gone", { endpoints: ["10.0.0.1"] }),
				endpointSlice("mute", { serviceName: "" }),
			),
		);
		expect(
			findings.map(({ about, reason }) => [about.name, reason]),
		).to.deep.equal([
			["gone", "DestinationNotFound"],
			["mute", "Unusable"],
		]);
	});
});

describe("endpoints of services outside", () => {
	it("are the name of an ExternalName Service", () => {
		const [found] =
			endpointsOf(
				service("db", {
					type: "ExternalName",
					externalName: "DB.example.com.",
					selector: {},
					ports: [{ port: 5432, name: "tcp" }],
				}),
			).get("db.default.svc.cluster.local") ?? [];
		expect(found?.address).to.equal("db.example.com");
		expect([...(found?.ports ?? [])]).to.deep.equal([[5432, 5432]]);
	});

	it("are the host itself when DNS is asked and nothing is listed", () => {
		const [found] =
			endpointsOf(
				externalService("api", {
					resolution: "DNS",
					ports: [{ number: 80, name: "http", targetPort: 8080 }],
				}),
			).get("api.example.com") ?? [];
		expect(found?.address).to.equal("api.example.com");
		expect([...(found?.ports ?? [])]).to.deep.equal([[80, 8080]]);
	});

	it("have their own ports, labels, weight and locality", () => {
		const [found] =
			endpointsOf(
				externalService("api", {
					resolution: "Static",
					endpoints: [
						{
							address: "192.0.2.1",
							ports: { http: 8888 },
							labels: { version: "v1" },
							weight: 3,
							locality: "eu/eu-1/rack-7",
						},
					],
				}),
			).get("api.example.com") ?? [];
		expect(found).to.deep.include({
			labels: { version: "v1" },
			weight: 3,
			locality: { region: "eu", zone: "eu-1/rack-7" },
		});
		expect([...(found?.ports ?? [])]).to.deep.equal([[80, 8888]]);
	});

	it("are none when the caller's address is used", () => {
		expect(
			endpointsOf(externalService("api", { resolution: "None" })).size,
		).to.equal(0);
	});
});
