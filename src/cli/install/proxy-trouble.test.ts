import { expect } from "chai";
import type { Json } from "../../injector/json.ts";
import { type ProxyTrouble, proxyTrouble } from "./proxy-trouble.ts";

const capture = {
	name: "lateen-capture",
	state: { terminated: { exitCode: 0, reason: "Completed" } },
};
const proxy = {
	name: "lateen-proxy",
	image: "proxy:1",
	ready: true,
	state: { running: {} },
};
const waiting = (reason: string): Json => ({ waiting: { reason } });

describe("proxyTrouble", () => {
	const table: readonly (readonly [
		what: string,
		statuses: readonly Json[],
		trouble: ProxyTrouble | undefined,
	])[] = [
		["is nothing where all is well", [capture, proxy], undefined],
		["is nothing before anything has started", [], undefined],
		[
			"is nothing while containers are made",
			[{ ...capture, state: waiting("PodInitializing") }],
			undefined,
		],
		[
			"is nothing where the application fails",
			[capture, proxy, { name: "app", state: waiting("CrashLoopBackOff") }],
			undefined,
		],
		[
			"is an image that is not to be had",
			[capture, { ...proxy, state: waiting("ImagePullBackOff") }],
			{
				...{ kind: "image", container: "lateen-proxy" },
				...{ image: "proxy:1", reason: "ImagePullBackOff" },
			},
		],
		[
			"is a proxy that ends again and again",
			[capture, { ...proxy, state: waiting("CrashLoopBackOff") }],
			{
				...{ kind: "failing", container: "lateen-proxy" },
				...{ reason: "CrashLoopBackOff" },
			},
		],
		[
			"is a capture that failed",
			[
				{ ...capture, state: { terminated: { exitCode: 1, reason: "Error" } } },
				{ ...proxy, state: waiting("PodInitializing") },
			],
			{ kind: "failing", container: "lateen-capture", reason: "Error" },
		],
		[
			"is want of memory, also where it runs again",
			[
				capture,
				{ ...proxy, lastState: { terminated: { reason: "OOMKilled" } } },
			],
			{ kind: "memory", container: "lateen-proxy" },
		],
		[
			"is a proxy that runs and is not ready",
			[capture, { ...proxy, ready: false }],
			{ kind: "unready" },
		],
	];
	for (const [what, statuses, trouble] of table)
		it(what, () => {
			// A native proxy is an init container, a classic one is not.
			for (const field of ["initContainerStatuses", "containerStatuses"])
				expect(proxyTrouble({ status: { [field]: statuses } })).to.deep.equal(
					trouble,
				);
		});
});
