import { KubeError } from "./kube-error.ts";

/** How much of an answer that says no is looked at. */
const maxFailureBytes = 64 * 1024;

/** More than any object is: etcd takes 1.5 MiB, and pages of many can be asked for in smaller ones. */
export const maxAnswerBytes = 32 * 1024 * 1024;

/** That an answer is larger than this process reads; asking for less may help. */
export class OversizedAnswer extends KubeError {
	constructor(maxBytes: number) {
		super(
			"KUBE_FAILED",
			`The API server's answer is larger than ${Math.round(maxBytes / 1024 / 1024)} MiB and was not read. Ask for fewer objects at once.`,
		);
	}
}

/**
 * The whole body as UTF-8 text.
 *
 * Fails when: it is longer than `maxBytes`; then with an `OversizedAnswer`, and the rest is not read.
 */
export async function readBounded(
	body: AsyncIterable<Uint8Array>,
	maxBytes: number = maxAnswerBytes,
): Promise<string> {
	const chunks: Uint8Array[] = [];
	let bytes = 0;
	for await (const chunk of body) {
		bytes += chunk.byteLength;
		if (bytes > maxBytes) throw new OversizedAnswer(maxBytes);
		chunks.push(chunk);
	}
	return Buffer.concat(chunks).toString("utf8");
}

/** The beginning of a body that says why something failed. */
export async function readFailure(
	body: AsyncIterable<Uint8Array>,
): Promise<string> {
	const chunks: Uint8Array[] = [];
	let bytes = 0;
	for await (const chunk of body) {
		chunks.push(chunk.subarray(0, maxFailureBytes - bytes));
		bytes += chunk.byteLength;
		if (bytes >= maxFailureBytes) break;
	}
	return Buffer.concat(chunks).toString("utf8");
}
