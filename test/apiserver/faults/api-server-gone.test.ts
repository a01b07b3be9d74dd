// The API server is killed for a minute while real Envoys carry requests.

import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect } from "chai";
import { type Bookinfo, startBookinfo } from "../../../hack/demo/bookinfo.ts";
import { kubernetesGround } from "../../../hack/demo/kubernetes-ground.ts";
import { readPage } from "../../../hack/demo/page.ts";
import { ensureEnvoy } from "../../../hack/ensure-envoy.ts";
import { Parts } from "../../../hack/programs/parts.ts";
import { eventually } from "../../testkit/eventually.ts";
import { figure } from "../../testkit/figure.ts";
import {
	kubectl,
	type OwnCluster,
	ownCluster,
} from "../../testkit/kube-cluster.ts";
import { TemporaryFolder } from "../../testkit/temporary-folder.ts";

const minuteMs = 60_000;

describe("an API server that is killed for a minute", function () {
	this.timeout(300_000);
	let cluster: OwnCluster;
	let folder: TemporaryFolder;
	let parts: Parts;
	let bookinfo: Bookinfo;

	before(async () => {
		cluster = await ownCluster();
		folder = new TemporaryFolder();
		parts = new Parts(folder.at("logs"));
		bookinfo = await startBookinfo(
			{ envoy: await ensureEnvoy(), dir: folder.path },
			kubernetesGround(cluster, folder.at("state"), parts, () => {}),
			parts,
			() => {},
		);
	});

	after(async () => {
		await parts?.[Symbol.asyncDispose]();
		folder?.[Symbol.dispose]();
		await cluster?.[Symbol.asyncDispose]();
	});

	const run = (...args: readonly string[]) => kubectl(cluster, args);

	/** Which versions of reviews answer, with these weights from now on. */
	const weigh = (v1: number, v3: number) =>
		run(
			...["patch", "rr", "reviews", "--type=merge", "-p"],
			JSON.stringify({
				spec: {
					route: [
						{ labels: { version: "v1" }, weight: v1 },
						{ labels: { version: "v3" }, weight: v3 },
					],
				},
			}),
		);

	const programmed = () =>
		run(
			...["wait", "--for=condition=Programmed", "rr/reviews"],
			"--timeout=60s",
		);

	/** What the user jason gets, whom a rule sends to v2. */
	const jasons = async () => (await readPage(bookinfo.url, "jason")).reviews;

	it("costs no request, and what is changed right after it arrives", async () => {
		await run("delete", "endpointslice", "reviews-v2");
		await weigh(1, 0);
		await programmed();
		await eventually(async () =>
			expect(await jasons()).to.include({ available: false }),
		);
		const failures: string[] = [];
		const versions = new Map<string, number>();
		let goesOn = true;
		const clients = Array.from({ length: 4 }, async () => {
			while (goesOn) {
				try {
					const { details, reviews } = await readPage(bookinfo.url);
					if (!details.available) failures.push(`details: ${details.reason}`);
					if (!reviews.available) failures.push(`reviews: ${reviews.reason}`);
					else
						versions.set(
							reviews.version,
							(versions.get(reviews.version) ?? 0) + 1,
						);
				} catch (error) {
					failures.push(String(error));
				}
				await setTimeout(10);
			}
		});
		try {
			await cluster.killApiserver();
			await setTimeout(minuteMs);
			figure("requests meanwhile", versions.get("v1") ?? 0);
			expect([...versions.keys()]).to.deep.equal(["v1"]);
			await cluster.startApiserver();
			const back = performance.now();
			await weigh(0, 1);
			await eventually(async () => {
				const { reviews } = await readPage(bookinfo.url);
				expect(reviews).to.include({ version: "v3" });
			}, minuteMs);
			figure("rule in force after, ms", Math.round(performance.now() - back));
			await programmed();
			figure("rule Programmed after, ms", Math.round(performance.now() - back));

			expect(await jasons()).to.include({ available: false });
			await run(
				"apply",
				"-f",
				join(bookinfo.files, "workloads/reviews-v2.yaml"),
			);
			await eventually(async () =>
				expect(await jasons()).to.include({ version: "v2" }),
			);
			figure("endpoint there after, ms", Math.round(performance.now() - back));
		} finally {
			goesOn = false;
			await Promise.all(clients);
		}
		expect(failures).to.deep.equal([]);
		expect(parts.crashed).to.equal(undefined);
	});
});
