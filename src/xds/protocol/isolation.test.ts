// Proxies that refuse every response with something bad in it: what is found to
// be at fault, what the others get, and how many responses that takes.

import { fromBinary } from "@bufbuild/protobuf";
import { expect } from "chai";
import fc from "fast-check";
import {
	type MemoryChange,
	MemoryResources,
	resource,
} from "../../../test/testkit/memory-resources.ts";
import {
	DeltaDiscoveryResponseSchema,
	DiscoveryResponseSchema,
} from "../../gen/envoy/envoy/service/discovery/v3/discovery_pb.js";
import type { Resource } from "../resource.ts";
import { type ResourceType, sendOrder } from "../resource-type.ts";
import type { Outgoing } from "./content.ts";
import type { RequestOutcome } from "./delivery.ts";
import { DeltaStream } from "./delta.ts";
import { SotwStream } from "./sotw.ts";

type Variant = "delta" | "sotw";

const limits = { maxNames: 10_000, maxKept: 10_000, removalDelayMs: 0 };

/** What a version says: `7` is taken, `7bad` is refused. */
function isBad(version: string): boolean {
	return version.endsWith("bad");
}

/** A proxy that uses one type and refuses bad versions; see the head of this file. */
class Refuser {
	readonly resources = new MemoryResources();
	/** What it has accepted. */
	readonly has = new Map<string, string>();
	/** Names that were condemned, with the version. */
	readonly condemned = new Map<string, string>();
	/** Every condemnation of something good; there must be none. */
	readonly wronged: string[] = [];
	/** Names that a full list left out although the proxy had them. */
	readonly lost: string[] = [];
	responses = 0;
	nowMs = 0;
	readonly #type: ResourceType;
	readonly #variant: Variant;
	readonly #names: boolean;
	readonly #stream: DeltaStream | SotwStream;

	constructor(
		type: ResourceType,
		variant: Variant,
		options: {
			/** Its words name what it refuses, as Envoy's do of clusters and listeners. */
			readonly names: boolean;
			readonly isProven?: (resource: Resource) => boolean;
		},
	) {
		this.#type = type;
		this.#variant = variant;
		this.#names = options.names;
		const Stream = variant === "delta" ? DeltaStream : SotwStream;
		this.#stream = new Stream(
			this.resources,
			limits,
			-10_000,
			options.isProven ?? (() => true),
		);
		this.resources.subscribe((changed) => this.#stream.changed(changed));
	}

	/** Puts these versions by name, or removes the name. */
	change(versions: Readonly<Record<string, string | undefined>>): void {
		this.resources.change(
			Object.entries(versions).map(
				([name, version]): MemoryChange =>
					version === undefined
						? { type: this.#type, remove: name }
						: { type: this.#type, put: resource(name, version) },
			),
		);
	}

	/** Asks for everything there is. */
	open(): void {
		const table = resource("t");
		if (this.#type === "virtualHost") {
			this.resources.change([{ type: "route", put: table }]);
			this.#request("route", { names: ["t"] });
			this.#answerAll();
		}
		const named = this.#type === "endpoint" || this.#type === "route";
		this.#request(this.#type, {
			names: named ? [...this.resources.names(this.#type)] : [],
		});
	}

	/** Takes one response and answers it; false when there was none. */
	step(): boolean {
		this.nowMs += 1000;
		const outgoing = this.#stream.next(this.nowMs);
		if (outgoing === undefined) return false;
		this.#answer(outgoing);
		return true;
	}

	/** Answers until there is nothing more. */
	settle(): void {
		while (this.step());
	}

	isSettled(): boolean {
		return this.#stream.isSettled;
	}

	#answerAll(): void {
		for (;;) {
			const outgoing = this.#stream.next(this.nowMs);
			if (outgoing === undefined) return;
			this.#answer(outgoing);
		}
	}

	#answer({ type, nonce, parts }: Outgoing): void {
		const bytes = Buffer.concat(parts);
		if (type !== this.#type) {
			this.#request(type, { nonce });
			return;
		}
		this.responses += 1;
		const versions = new Map<string, string | undefined>();
		if (this.#variant === "delta") {
			const message = fromBinary(DeltaDiscoveryResponseSchema, bytes);
			for (const name of message.removedResources) {
				versions.set(name, undefined);
			}
			for (const { name, version } of message.resources) {
				versions.set(name, version);
			}
		} else {
			const message = fromBinary(DiscoveryResponseSchema, bytes);
			for (const { value } of message.resources) {
				const [name = "", version] = new TextDecoder().decode(value).split("@");
				versions.set(name, version);
			}
		}
		const bad = [...versions].filter(([, one]) => one && isBad(one));
		if (bad.length > 0) {
			const said = bad.map(([name]) => `${name}: it is bad`).join(", ");
			this.#request(type, {
				nonce,
				error: this.#names ? `Error adding/updating ${said}` : "it is bad",
			});
			return;
		}
		const isState =
			this.#variant === "sotw" && (type === "cluster" || type === "listener");
		for (const name of isState ? [...this.has.keys()] : []) {
			if (versions.has(name)) continue;
			if (this.resources.get(type, name) !== undefined) this.lost.push(name);
			this.has.delete(name);
		}
		for (const [name, version] of versions) {
			if (version === undefined) this.has.delete(name);
			else this.has.set(name, version);
		}
		this.#request(type, { nonce });
	}

	#request(
		type: ResourceType,
		request: {
			readonly names?: readonly string[];
			readonly nonce?: string;
			readonly error?: string;
		},
	): void {
		const { nonce = "", error } = request;
		let outcome: RequestOutcome;
		if (this.#stream instanceof DeltaStream) {
			outcome = this.#stream.request(
				{
					type,
					subscribe: request.names ?? [],
					unsubscribe: [],
					initialVersions: new Map(),
					nonce,
					error,
				},
				this.nowMs,
			);
		} else {
			if (type === "virtualHost") throw new Error("There are none.");
			const named = type === "endpoint" || type === "route";
			const names = named ? [...this.resources.names(type)] : [];
			outcome = this.#stream.request({ type, names, nonce, error }, this.nowMs);
		}
		if (outcome.op === "refused") throw new Error(outcome.reason);
		for (const { name, version } of outcome.rejected?.condemned ?? []) {
			this.condemned.set(name, version);
			if (!isBad(version)) this.wronged.push(`${name}@${version}`);
		}
	}
}

const cases = (["delta", "sotw"] as const).flatMap((variant) =>
	sendOrder
		.filter((type) => variant === "delta" || type !== "virtualHost")
		.map((type) => ({ variant, type })),
);

function named(type: ResourceType, index: number): string {
	return type === "virtualHost" ? `t/${index}` : `n${index}`;
}

/** Responses that finding so many bad ones among so many may take, besides one for each other change. */
function bound(bad: number, all: number): number {
	return 2 + bad * (2 * Math.ceil(Math.log2(Math.max(2, all))) + 2);
}

describe("isolation of what is refused", () => {
	for (const { variant, type } of cases) {
		it(`condemns exactly the bad ones of a first configuration and has all others acknowledged (${type}, ${variant})`, () => {
			fc.assert(
				fc.property(
					fc.array(fc.constantFrom("1", "1", "1", "1bad"), {
						minLength: 1,
						maxLength: 40,
					}),
					fc.boolean(),
					fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
					(versions, names, proven) => {
						const proxy = new Refuser(type, variant, {
							names,
							isProven: ({ name, version }) =>
								!isBad(version) && proven[name.length % proven.length] === true,
						});
						const all = Object.fromEntries(
							versions.map((version, index) => [named(type, index), version]),
						);
						proxy.change(all);
						proxy.open();
						proxy.settle();
						const bad = Object.entries(all).filter(([, one]) => isBad(one));
						expect(proxy.wronged).to.deep.equal([]);
						expect(Object.fromEntries(proxy.condemned)).to.deep.equal(
							Object.fromEntries(bad),
						);
						for (const [name, version] of Object.entries(all)) {
							expect(proxy.has.get(name), name).to.equal(
								isBad(version) ? undefined : version,
							);
						}
						expect(proxy.responses).to.be.at.most(
							1 + bound(bad.length, versions.length),
						);
						expect(proxy.isSettled()).to.equal(true);
					},
				),
				{ numRuns: 60 },
			);
		});

		it(`keeps what the proxy had, lets other changes through meanwhile, and takes the mended one (${type}, ${variant})`, () => {
			fc.assert(
				fc.property(
					fc.integer({ min: 2, max: 20 }),
					fc.array(
						fc.record({
							index: fc.nat(19),
							kind: fc.constantFrom("good", "good", "bad", "gone"),
							steps: fc.nat(4),
						}),
						{ minLength: 1, maxLength: 30 },
					),
					fc.boolean(),
					(count, changes, names) => {
						const proxy = new Refuser(type, variant, {
							names,
							isProven: ({ version }) => Number.parseInt(version, 10) % 3 !== 0,
						});
						const newest = new Map<string, string>();
						for (let index = 0; index < count; index += 1) {
							newest.set(named(type, index), "1");
						}
						proxy.change(Object.fromEntries(newest));
						proxy.open();
						proxy.settle();
						const lastGood = new Map(newest);
						let version = 1;
						for (const { index, kind, steps } of changes) {
							const name = named(type, index % count);
							version += 1;
							// Envoy keeps endpoints and routes until what needs them is gone.
							const goes =
								kind === "gone" && type !== "endpoint" && type !== "route";
							const next = goes
								? undefined
								: `${version}${kind === "bad" ? "bad" : ""}`;
							if (next === undefined) {
								newest.delete(name);
								lastGood.delete(name);
							} else newest.set(name, next);
							proxy.change({ [name]: next });
							for (let step = 0; step < steps; step += 1) proxy.step();
						}
						proxy.settle();
						expect(proxy.wronged).to.deep.equal([]);
						expect(proxy.lost).to.deep.equal([]);
						for (let index = 0; index < count; index += 1) {
							const name = named(type, index);
							const now = newest.get(name);
							if (now !== undefined && isBad(now)) {
								expect(proxy.condemned.get(name)).to.equal(now);
								const kept = proxy.has.get(name);
								if (kept !== undefined) expect(isBad(kept)).to.equal(false);
							} else expect(proxy.has.get(name), name).to.equal(now);
						}
						const mended = [...newest].filter(([, one]) => isBad(one));
						for (const [name] of mended) proxy.change({ [name]: "9999" });
						proxy.settle();
						for (const [name] of mended) {
							expect(proxy.has.get(name)).to.equal("9999");
						}
					},
				),
				{ numRuns: 60 },
			);
		});
	}

	it("finds one bad virtual host among 1,000 within 22 responses", () => {
		const proxy = new Refuser("virtualHost", "delta", { names: false });
		proxy.change(
			Object.fromEntries(
				Array.from({ length: 1000 }, (_, index) => [
					`t/${index}`,
					index === 613 ? "1bad" : "1",
				]),
			),
		);
		proxy.open();
		proxy.settle();
		expect([...proxy.condemned.keys()]).to.deep.equal(["t/613"]);
		expect(proxy.has.size).to.equal(999);
		expect(proxy.responses).to.be.at.most(22);
	});

	it("costs a change of one virtual host no further response, proven or not", () => {
		const proxy = new Refuser("virtualHost", "delta", {
			names: false,
			isProven: () => false,
		});
		proxy.change({ "t/a": "1", "t/b": "1" });
		proxy.open();
		proxy.settle();
		const before = proxy.responses;
		proxy.change({ "t/a": "2" });
		proxy.settle();
		expect(proxy.responses - before).to.equal(1);
	});

	it("sends a first configuration in two responses when part of it is not proven", () => {
		const proxy = new Refuser("virtualHost", "delta", {
			names: false,
			isProven: ({ name }) => name !== "t/new",
		});
		proxy.change({ "t/a": "1", "t/new": "1bad", "t/b": "1" });
		proxy.open();
		proxy.step();
		expect([...proxy.has.keys()]).to.deep.equal(["t/a", "t/b"]);
		proxy.settle();
		expect(proxy.responses).to.equal(2);
		expect([...proxy.condemned.keys()]).to.deep.equal(["t/new"]);
	});
});
