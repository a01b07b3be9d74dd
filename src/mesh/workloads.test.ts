import { expect } from "chai";
import {
	endpointSlice,
	mesh,
	node,
	objects,
	pod,
	service,
} from "../../test/testkit/objects.ts";
import type { ApiObject } from "../api/objects.ts";
import { buildMesh } from "./build.ts";

const app = { labels: { app: "reviews", version: "v1" } };

function workload(...list: readonly ApiObject[]) {
	return buildMesh(objects(...list)).mesh.workloads.get("default/r1");
}

describe("workloads", () => {
	it("have the identity of their ServiceAccount in the trust domain", () => {
		const found = workload(
			pod("r1", { serviceAccount: "bookinfo-reviews" }),
			mesh({ trustDomain: "example.org" }),
		);
		expect(found?.identity).to.equal(
			"spiffe://example.org/ns/default/sa/bookinfo-reviews",
		);
	});

	it("serve the Services of their namespace that select all of their labels", () => {
		const found = workload(
			pod("r1", {}, app),
			service("reviews", { selector: { app: "reviews" } }),
			service("reviews-v1", { selector: { app: "reviews", version: "v1" } }),
			service("reviews-v2", { selector: { app: "reviews", version: "v2" } }),
			service("other/reviews", { selector: { app: "reviews" } }),
			service("everything", { selector: {} }),
		);
		expect(found?.services).to.deep.equal([
			"reviews-v1.default.svc.cluster.local",
			"reviews.default.svc.cluster.local",
		]);
	});

	it("are called on the target ports, by number or by name", () => {
		const found = workload(
			pod("r1", { ports: [{ name: "web", containerPort: 8080 }] }, app),
			service("reviews", {
				ports: [
					{ port: 80, name: "http", targetPort: "web" },
					{ port: 81, name: "tcp", targetPort: 7000 },
					{ port: 82, name: "http-missing", targetPort: "missing" },
				],
			}),
		);
		expect(found?.inbound).to.deep.equal([
			{ port: 7000, protocol: "tcp" },
			{ port: 8080, protocol: "http" },
		]);
	});

	const protocols = [
		{
			name: "speak what the only Service that knows says",
			ports: ["", "http"],
			want: "http",
		},
		{
			name: "are sniffed where Services disagree",
			ports: ["tcp", "http"],
			want: "sniffed",
		},
	] as const;
	for (const { name, ports, want } of protocols) {
		it(name, () => {
			const found = workload(
				pod("r1", {}, app),
				...ports.map((port, index) =>
					service(`s${index}`, {
						selector: { app: "reviews" },
						ports: [{ port: 80, name: port, targetPort: 8080 }],
					}),
				),
			);
			expect(found?.inbound).to.deep.equal([{ port: 8080, protocol: want }]);
		});
	}

	it("serve Services without selector whose slices name them", () => {
		const found = workload(
			pod("r1"),
			service("by-hand", { selector: {} }),
			endpointSlice("by-hand", {
				ports: [{ name: "http", port: 8080 }],
				endpoints: [{ addresses: ["10.0.0.1"], pod: "r1" }],
			}),
		);
		expect(found?.services).to.deep.equal([
			"by-hand.default.svc.cluster.local",
		]);
		expect(found?.inbound).to.deep.equal([{ port: 8080, protocol: "http" }]);
	});

	it("are where their Node is", () => {
		const found = workload(
			pod("r1", { nodeName: "n1" }),
			node("n1", "eu", "eu-1"),
		);
		expect(found?.locality).to.deep.equal({ region: "eu", zone: "eu-1" });
	});
});
