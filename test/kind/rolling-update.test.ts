// Many pods that are replaced at the same time, under more requests than anybody can keep apart.

import { expect } from "chai";
import {
	type KindCluster,
	sharedKindCluster,
} from "../testkit/kind-cluster.ts";
import { installLateen } from "../testkit/kind-mesh.ts";
import { rollUnderLoad } from "../testkit/kind-rolling-update.ts";

/** Requests a second, in all. */
const RATE = 500;
/** The share of requests that meet an idle connection in the very moment in which it is ended. */
const RARE = 0.01;

describe("a rolling update of three times three pods", () => {
	let cluster: KindCluster;

	before(async () => {
		cluster = await sharedKindCluster();
		await installLateen(cluster);
	});

	it("loses none of five hundred requests a second, from callers with a proxy and without", async () => {
		const { meshed, plain } = await rollUnderLoad(cluster, RATE);
		expect({
			meshed: meshed.failures,
			plain: plain.failures,
		}).to.deep.equal({ meshed: {}, plain: {} });
		for (const { sent, ok, resent, pods } of [meshed, plain]) {
			expect(ok).to.equal(sent);
			expect(resent).to.be.at.most(sent * RARE);
			expect(sent).to.be.above(5 * RATE);
			// Old and new.
			expect(Object.keys(pods)).to.have.lengthOf.above(9);
		}
	});
});
