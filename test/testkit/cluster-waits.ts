import { expect } from "chai";
import type { ClusterReplica } from "./cluster-replica.ts";
import type { ClusterWorld } from "./cluster-world.ts";
import { eventually } from "./eventually.ts";
import type { Manner } from "./wire-proxy.ts";

/** A proxy that refuses whatever holds this text. */
export function refusing(text: string): Manner {
	return {
		refuses: ({ resources }) =>
			resources.some(({ resource }) =>
				Buffer.from(resource?.value ?? []).includes(text),
			)
				? "no such thing"
				: undefined,
	};
}

/** Waits until a replica leads. */
export async function leads(replica: ClusterReplica): Promise<void> {
	await eventually(
		() =>
			expect(
				replica.log.some(({ message }) => message === "This replica leads."),
			).to.equal(true),
		30_000,
	);
}

/** Waits until something is kept about a rule that a restart finds. */
export async function keeps(
	world: ClusterWorld,
	rule: string,
	field: string,
): Promise<void> {
	await eventually(async () => {
		const kept = await world.kubectl("get", "lastgoods", "-o", "json");
		expect(kept).to.include(rule);
		expect(kept).to.include(field);
	});
}

/** Waits until a rule of this generation is said to be refused by proxies. */
export async function isRejected(
	world: ClusterWorld,
	rule: string,
	generation: number,
): Promise<void> {
	await eventually(
		async () =>
			expect(await world.condition(rule)).to.deep.include({
				about: generation,
				status: "False",
				reason: "Rejected",
			}),
		20_000,
	);
}
