/**
 * A process that contends for the lead and, while it has it, writes the status
 * of one RouteRule again and again. Prints a line for each change of its mind.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { Leadership } from "../../src/kube/leadership.ts";
import { ObjectClient } from "../../src/kube/object-client.ts";
import { KubeStatusWriter } from "../../src/kube/status-writer.ts";
import { WritePacer } from "../../src/kube/write-pacer.ts";
import { systemClock } from "../../src/lib/system-clock.ts";
import { silentLogger } from "../../src/observability/logger.ts";
import { MetricsRegistry } from "../../src/observability/metrics.ts";
import { connectTo } from "../testkit/kube-client.ts";

const [kubeconfig = "", namespace = "", name = ""] = process.argv.slice(2);
const client = new ObjectClient(await connectTo(kubeconfig));
const leader = new Leadership({
	client,
	at: { namespace, name: "lateen-leader" },
	identity: `${name}_${randomUUID()}`,
	// As short as leaves room for a busy machine.
	times: { durationMs: 5000, renewDeadlineMs: 3500, retryMs: 500 },
	clock: systemClock,
	random: Math.random,
	logger: silentLogger,
	metrics: new MetricsRegistry(),
});
const writer = new KubeStatusWriter({
	client,
	leader,
	pacer: new WritePacer(systemClock),
	clock: systemClock,
	logger: silentLogger,
	metrics: new MetricsRegistry(),
});
leader.state.subscribe((leads) => console.log(leads ? "leads" : "lost"));
const stopping = new AbortController();
process.on("SIGTERM", () => stopping.abort());
const contending = leader.run(stopping.signal);
for (let count = 0; !stopping.signal.aborted; count += 1) {
	await writer
		.write([
			{
				ref: { kind: "RouteRule", namespace, name: "x" },
				observedGeneration: 1,
				conditions: [
					{
						type: "Ready",
						status: "True",
						reason: "Because",
						message: `${name} ${count}`,
						observedGeneration: 1,
						lastTransitionMs: 1000,
					},
				],
				proxies: { total: 0, acknowledged: 0, rejected: 0 },
			},
		])
		// It is cut off, which is what the test wants.
		.catch(() => undefined);
	await delay(10);
}
await contending;
process.exit(0);
