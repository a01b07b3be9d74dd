/*
 * Keeps the authorities in every namespace that has injected pods: a pod mounts ConfigMaps of its own namespace only.
 *
 *   namespaces ────┐
 *   injected pods ─┼─▶ decideTrustBundles ─▶ copies
 *   ConfigMaps ────┘
 */
import type { Clock } from "../lib/clock.ts";
import type { Signal } from "../lib/signal.ts";
import type { Logger } from "../observability/logger.ts";
import {
	decideTrustBundles,
	type SeenCopy,
} from "../reconcilers/trust-bundle.ts";
import {
	Controller,
	type ControllerFigures,
	type Leader,
} from "./controller.ts";
import { bundleKey } from "./serving-secret.ts";

/** What the controller works with. */
export interface TrustBundleParts {
	readonly inputs: {
		/** Namespaces whose label asks for injection; undefined before they were read. */
		readonly asking: Signal<ReadonlySet<string> | undefined>;
		/** Namespaces with injected pods; undefined before they were read. */
		readonly injected: Signal<ReadonlySet<string> | undefined>;
		/** The ConfigMaps of that name, the original too, by namespace; undefined before they were read. */
		readonly copies: Signal<ReadonlyMap<string, SeenCopy> | undefined>;
	};
	/** What a copy holds. */
	readonly dataOf: (bundle: string) => Readonly<Record<string, string>>;
	/** Where the original is, which this controller only reads. */
	readonly ownNamespace: string;
	readonly writer: {
		apply(
			namespace: string,
			data: Readonly<Record<string, string>>,
			signal: AbortSignal,
		): Promise<void>;
		remove(namespace: string, signal: AbortSignal): Promise<void>;
	};
	readonly leader: Leader;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly figures: ControllerFigures;
}

/** Keeps the copies; disposing ends it. */
export function keepTrustBundles(parts: TrustBundleParts): AsyncDisposable {
	const { inputs, leader, clock, logger, figures } = parts;
	return new Controller({
		name: "trust-bundle",
		inputs: [inputs.asking, inputs.injected, inputs.copies],
		leader,
		step: (signal) => step(parts, signal),
		clock,
		logger,
		figures,
	});
}

async function step(
	{ inputs, dataOf, ownNamespace, writer, leader, logger }: TrustBundleParts,
	signal: AbortSignal,
): Promise<undefined> {
	const asking = inputs.asking.value;
	const injected = inputs.injected.value;
	const copies = inputs.copies.value;
	if (asking === undefined || injected === undefined || copies === undefined)
		return;
	const bundle = copies.get(ownNamespace)?.data[bundleKey] ?? "";
	if (bundle === "") return;
	const data = dataOf(bundle);
	const wanted = new Set([...asking, ...injected]);
	const others = new Map(copies);
	wanted.delete(ownNamespace);
	others.delete(ownNamespace);
	const { apply, remove } = decideTrustBundles(data, wanted, others);
	const failures: unknown[] = [];
	/** One namespace that is about to go must not keep the others from theirs. */
	const each = async (
		namespaces: readonly string[],
		write: (namespace: string) => Promise<void>,
	): Promise<void> => {
		for (const namespace of namespaces) {
			if (!leader.isLeader()) return;
			await write(namespace).catch((error: unknown) => failures.push(error));
		}
	};
	await each(apply, (namespace) => writer.apply(namespace, data, signal));
	await each(remove, (namespace) => writer.remove(namespace, signal));
	if (apply.length + remove.length > failures.length)
		logger.info("The authorities are copied to where injected pods are.", {
			applied: apply.length,
			removed: remove.length,
			failed: failures.length,
		});
	if (failures.length > 0) throw failures[0];
}
