import { expect } from "chai";
import { createInterner } from "./intern.ts";
import { type Projected, projectObject } from "./project-object.ts";

function podWith(fields: {
	readonly name?: string;
	readonly restarts?: number;
	readonly ip?: string;
	readonly deletedAt?: string;
}): Record<string, unknown> {
	const { name = "a", restarts = 0, ip = "10.0.0.1", deletedAt } = fields;
	return {
		apiVersion: "v1",
		kind: "Pod",
		metadata: {
			name,
			namespace: "shop",
			uid: "u1",
			...(deletedAt !== undefined && { deletionTimestamp: deletedAt }),
			labels: { app: "cart" },
			annotations: { noise: "n".repeat(1000) },
			managedFields: [{ manager: "kubelet" }],
			ownerReferences: [{ name: "cart" }],
		},
		spec: {
			nodeName: "node-1",
			serviceAccountName: "cart",
			containers: [
				{
					name: "cart",
					image: "cart:1",
					ports: [{ name: "http", containerPort: 8080 }],
				},
			],
		},
		status: {
			podIP: ip,
			containerStatuses: [{ restartCount: restarts }],
		},
	};
}

function pod(
	fields: Parameters<typeof podWith>[0],
	interner = createInterner(),
) {
	return projectObject("Pod", podWith(fields), interner);
}

function objectOf(projected: Projected) {
	if (projected.kind !== "object") throw new Error("it is refused");
	return projected.object;
}

describe("projectObject", () => {
	it("keeps what is used of a Pod, and nothing else", () => {
		expect(pod({})).to.deep.equal({
			kind: "object",
			object: {
				kind: "Pod",
				metadata: {
					namespace: "shop",
					name: "a",
					uid: "u1",
					labels: { app: "cart" },
					annotations: {},
					generation: 1,
					createdMs: 0,
				},
				ips: ["10.0.0.1"],
				terminating: false,
				serviceAccount: "cart",
				nodeName: "node-1",
				ports: [{ name: "http", containerPort: 8080 }],
			},
		});
	});

	it("makes the same of a Pod that differs in what is not used", () => {
		expect(pod({ restarts: 7 })).to.deep.equal(pod({}));
		expect(pod({ ip: "10.0.0.2" })).to.not.deep.equal(pod({}));
		expect(pod({ deletedAt: "2026-01-02T03:04:05Z" })).to.have.nested.property(
			"object.terminating",
			true,
		);
	});

	it("keeps one copy of what objects have in common", () => {
		const interner = createInterner();
		const a = objectOf(pod({ name: "a" }, interner));
		const b = objectOf(pod({ name: "b" }, interner));
		expect(a.metadata.labels).to.equal(b.metadata.labels);
		expect(a).to.have.property("ports", Reflect.get(b, "ports"));
	});

	it("drops the copy of itself that kubectl puts into a RouteRule, and its status", () => {
		const last = "kubectl.kubernetes.io/last-applied-configuration";
		const rule = objectOf(
			projectObject(
				"RouteRule",
				{
					apiVersion: "lateen.dev/v1alpha1",
					kind: "RouteRule",
					metadata: {
						name: "a",
						namespace: "shop",
						generation: 3,
						annotations: { owner: "me", [last]: "{}" },
						managedFields: [{}],
					},
					spec: { destination: { name: "cart" } },
					status: { conditions: [] },
				},
				createInterner(),
			),
		);
		expect(rule.metadata).to.deep.include({
			annotations: { owner: "me" },
			generation: 3,
		});
		expect(rule).to.not.have.property("status");
	});

	it("refuses what has not the form that it must have, by name", () => {
		const labels = { metadata: { name: "a", namespace: "shop", labels: 5 } };
		const refused = projectObject(
			"Pod",
			{ ...podWith({}), ...labels },
			createInterner(),
		);
		expect(refused).to.deep.nested.include({
			kind: "invalid",
			"invalid.ref": { kind: "Pod", namespace: "shop", name: "a" },
		});
	});

	it("forgets what it knows when that is too much, and goes on", () => {
		const interner = createInterner(2);
		const texts = ["a", "b", "c", "a"].map((text) => interner.text(text));
		expect(texts).to.deep.equal(["a", "b", "c", "a"]);
		const one = interner.json({ x: 1 });
		expect(interner.json({ x: 1 })).to.equal(one);
	});
});
