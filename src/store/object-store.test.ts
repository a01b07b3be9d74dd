import { expect } from "chai";
import fc from "fast-check";
import type { Namespace, Service } from "../api/core.ts";
import type { ApiObject, Change, InvalidObject } from "../api/objects.ts";
import { ObjectStore } from "./object-store.ts";

function namespace(name: string, labels: Record<string, string> = {}) {
	return {
		kind: "Namespace",
		metadata: {
			namespace: "",
			name,
			labels,
			annotations: {},
			generation: 1,
			createdMs: 0,
		},
	} satisfies Namespace;
}

function service(name: string, port = 80): Service {
	return {
		kind: "Service",
		metadata: {
			namespace: "default",
			name,
			labels: {},
			annotations: {},
			generation: 1,
			createdMs: 0,
		},
		spec: {
			type: "ClusterIP",
			clusterIPs: ["10.0.0.1"],
			headless: false,
			ports: [{ name: "http", port, protocol: "TCP", targetPort: port }],
			selector: {},
		},
	};
}

function invalid(kind: string, name: string, message = "no"): InvalidObject {
	return {
		ref: { kind, namespace: kind === "Namespace" ? "" : "default", name },
		generation: 2,
		violations: [{ path: "spec", message }],
	};
}

function put(object: ApiObject): Change {
	return { op: "put", object };
}

function countSignals(store: ObjectStore): () => number {
	let count = 0;
	store.objects.subscribe(() => count++);
	store.invalid.subscribe(() => count++);
	return () => count;
}

describe("ObjectStore", () => {
	it("keeps an object under its namespace and name", () => {
		const store = new ObjectStore(["a"]);
		const cart = service("cart");
		store.apply("a", [put(cart)]);
		expect(store.objects.value.Service.get("default/cart")).to.equal(cart);
	});

	it("signals nothing and keeps the reference for an equal object", () => {
		const store = new ObjectStore(["a"]);
		const first = service("cart");
		store.apply("a", [put(first)]);
		const signals = countSignals(store);
		store.apply("a", [put(service("cart"))]);
		expect(signals()).to.equal(0);
		expect(store.objects.value.Service.get("default/cart")).to.equal(first);
	});

	it("signals once for a batch, after all of it", () => {
		const store = new ObjectStore(["a"]);
		const sizes: number[] = [];
		store.objects.subscribe((objects) => sizes.push(objects.Service.size));
		store.apply("a", [put(service("cart")), put(service("shop"))]);
		expect(sizes).to.deep.equal([2]);
	});

	it("signals nothing for a batch that undoes itself", () => {
		const store = new ObjectStore(["a"]);
		store.apply("a", [put(service("cart"))]);
		const signals = countSignals(store);
		store.apply("a", [
			{
				op: "delete",
				ref: { kind: "Service", namespace: "default", name: "cart" },
			},
			put(service("cart")),
		]);
		expect(signals()).to.equal(0);
	});

	it("replaces only the map of the kind that changed", () => {
		const store = new ObjectStore(["a"]);
		store.apply("a", [put(service("cart")), put(namespace("shop"))]);
		const before = store.objects.value;
		store.apply("a", [put(service("cart", 81))]);
		const after = store.objects.value;
		expect(after.Namespace).to.equal(before.Namespace);
		expect(after.Service).to.not.equal(before.Service);
		expect(before.Service.get("default/cart")?.spec.ports[0]?.port).to.equal(
			80,
		);
	});

	it("keeps the last good form of an object whose newest form is refused", () => {
		const store = new ObjectStore(["a"]);
		const good = service("cart");
		store.apply("a", [put(good)]);
		const objects = store.objects.value;
		const refused = invalid("Service", "cart");
		store.apply("a", [{ op: "put-invalid", invalid: refused }]);
		expect(store.objects.value).to.equal(objects);
		expect(store.invalid.value.get("Service/default/cart")).to.equal(refused);
	});

	it("forgets the refusal when the object is good again", () => {
		const store = new ObjectStore(["a"]);
		store.apply("a", [
			{ op: "put-invalid", invalid: invalid("Service", "cart") },
		]);
		expect(store.objects.value.Service.size).to.equal(0);
		store.apply("a", [put(service("cart"))]);
		expect(store.invalid.value.size).to.equal(0);
		expect(store.objects.value.Service.size).to.equal(1);
	});

	it("deletes the good form and the refusal together", () => {
		const store = new ObjectStore(["a"]);
		const refused = invalid("Service", "cart");
		store.apply("a", [
			put(service("cart")),
			{ op: "put-invalid", invalid: refused },
		]);
		store.apply("a", [{ op: "delete", ref: refused.ref }]);
		expect(store.objects.value.Service.size).to.equal(0);
		expect(store.invalid.value.size).to.equal(0);
	});

	it("replaces a kind in one step and keeps the last good form of what the listing refuses", () => {
		const store = new ObjectStore(["a"]);
		const shop = service("shop");
		store.apply("a", [put(service("cart")), put(shop), put(namespace("n"))]);
		const signals = countSignals(store);
		store.apply("a", [
			{
				op: "replace-kind",
				kind: "Service",
				objects: [service("pay")],
				invalid: [invalid("Service", "shop")],
			},
		]);
		expect([...store.objects.value.Service.keys()]).to.have.members([
			"default/pay",
			"default/shop",
		]);
		expect(store.objects.value.Service.get("default/shop")).to.equal(shop);
		expect(store.objects.value.Namespace.size).to.equal(1);
		expect(signals()).to.equal(2);
	});

	it("lets a listing of one source remove nothing that another source holds", () => {
		const store = new ObjectStore(["a", "b"]);
		store.apply("a", [put(service("cart"))]);
		store.apply("b", [put(service("shop"))]);
		store.apply("b", [
			{ op: "replace-kind", kind: "Service", objects: [], invalid: [] },
		]);
		expect([...store.objects.value.Service.keys()]).to.deep.equal([
			"default/cart",
		]);
	});

	for (const order of [
		["a", "b"],
		["b", "a"],
	]) {
		it(`prefers the first registered source when ${order.join(" speaks before ")}`, () => {
			const store = new ObjectStore(["a", "b"]);
			for (const name of order) {
				store.apply(name, [put(service("cart", name === "a" ? 1 : 2))]);
			}
			expect(
				store.objects.value.Service.get("default/cart")?.spec.ports[0]?.port,
			).to.equal(1);
			store.apply("a", [
				{
					op: "delete",
					ref: { kind: "Service", namespace: "default", name: "cart" },
				},
			]);
			expect(
				store.objects.value.Service.get("default/cart")?.spec.ports[0]?.port,
			).to.equal(2);
		});
	}

	it("is listed when every source has listed", () => {
		const store = new ObjectStore(["a", "b"]);
		store.listed("a");
		expect(store.allListed.value).to.equal(false);
		store.listed("b");
		expect(store.allListed.value).to.equal(true);
	});

	it("refuses a source that was never registered", () => {
		expect(() => new ObjectStore(["a"]).apply("b", [])).to.throw("b");
	});

	it("ends in the same objects whatever way the sources' changes interleave", () => {
		const change = fc.record({
			name: fc.constantFrom("x", "y", "z"),
			port: fc.integer({ min: 1, max: 3 }),
			op: fc.constantFrom("put", "delete"),
		});
		const toChange = (step: { name: string; port: number; op: string }) =>
			step.op === "put"
				? put(service(step.name, step.port))
				: ({
						op: "delete",
						ref: { kind: "Service", namespace: "default", name: step.name },
					} as const);
		fc.assert(
			fc.property(
				fc.array(change),
				fc.array(change),
				fc.array(fc.boolean()),
				(ofA, ofB, picks) => {
					const apart = new ObjectStore(["a", "b"]);
					apart.apply("a", ofA.map(toChange));
					apart.apply("b", ofB.map(toChange));
					const mixed = new ObjectStore(["a", "b"]);
					const restA = [...ofA];
					const restB = [...ofB];
					for (let i = 0; restA.length + restB.length > 0; i++) {
						const fromA = restB.length === 0 || (picks[i] ?? true);
						const rest = fromA && restA.length > 0 ? restA : restB;
						const step = rest.shift();
						if (step === undefined) continue;
						mixed.apply(rest === restA ? "a" : "b", [toChange(step)]);
					}
					expect(mixed.objects.value).to.deep.equal(apart.objects.value);
				},
			),
		);
	});
});
