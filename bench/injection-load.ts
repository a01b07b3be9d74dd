/*
 * Asks the webhook for injected pods as an API server does, on a thread of its own: one connection, some pods at a time.
 */
import { once } from "node:events";
import { Agent, request } from "node:https";
import { text } from "node:stream/consumers";
import { parentPort, workerData } from "node:worker_threads";

/** What is asked, and how often. */
export interface InjectionLoad {
	readonly port: number;
	/** PEM of whom to trust. */
	readonly ca: string;
	readonly body: string;
	readonly warmUps: number;
	readonly pods: number;
	/** Pods that are made at the same time. */
	readonly atOnce: number;
}

const { port, ca, body, warmUps, pods, atOnce } = workerData as InjectionLoad;
const agent = new Agent({ keepAlive: true, maxSockets: atOnce, ca });

async function ask(): Promise<number> {
	const start = performance.now();
	const asking = request({
		...{ agent, host: "127.0.0.1", port, method: "POST" },
		path: "/mutate?timeout=5s",
		headers: {
			"content-type": "application/json",
			"content-length": Buffer.byteLength(body),
		},
	});
	asking.end(body);
	const [answer] = await once(asking, "response");
	const said = await text(answer);
	const tookMs = performance.now() - start;
	if (answer.statusCode !== 200 || !said.includes('"patch"'))
		throw new Error(`${answer.statusCode}: ${said.slice(0, 200)}`);
	return tookMs;
}

async function askMany(count: number): Promise<readonly number[]> {
	const took: number[] = [];
	let left = count;
	const one = async (): Promise<void> => {
		while (left-- > 0) took.push(await ask());
	};
	await Promise.all(Array.from({ length: atOnce }, one));
	return took;
}

await askMany(warmUps);
parentPort?.postMessage(await askMany(pods));
agent.destroy();
