/*
 * Injection of one pod:
 *
 *   pod ─▶ template ─▶ whyNot? ─▶ steering ─▶ probes through the proxy ─▶ containers, volume ─▶ pod
 *          over the    skipped    refused     originals in an annotation   kept where they are already
 *          original
 *
 * What comes out comes out again when it is put in: an API server may ask twice, when another webhook has changed the pod
 * meanwhile, and a container that came with that is treated like the others.
 */
import { isRecord } from "../api/fields.ts";
import type { Violation } from "../api/violation.ts";
import { captureContainer } from "./capture-container.ts";
import type { InjectionContext } from "./context.ts";
import {
	fieldOf,
	type Json,
	numberIn,
	recordIn,
	recordsIn,
	textIn,
	withField,
} from "./json.ts";
import { names } from "./names.ts";
import {
	type OriginalHandlers,
	type RewrittenProbes,
	restoreProbes,
	rewriteProbes,
} from "./probes.ts";
import { proxyContainer, proxyVolume } from "./proxy-container.ts";
import { isInjected, type Skip, whyNot, whyNotSo } from "./skip-reason.ts";
import { readSteering, type Steering } from "./steering.ts";
import { strategicMerge } from "./strategic-merge.ts";

/** What becomes of a pod. */
export type Injection =
	| { readonly kind: "injected"; readonly pod: Json }
	/** `pod` says so in an annotation, unless it asked for it itself. */
	| { readonly kind: "skipped"; readonly skip: Skip; readonly pod: Json }
	/** It asks for something that cannot be understood, or got a proxy and must not have one any more. */
	| {
			readonly kind: "refused";
			readonly violations: readonly Violation[];
	  };

/**
 * Puts a proxy into a pod.
 *
 * Guarantees: never throws, whatever the pod holds; injecting the result again changes nothing; a pod that is not injected
 *   is left as it is, but for one annotation.
 */
export function inject(pod: Json, context: InjectionContext): Injection {
	const wanted = withTemplate(pod, context);
	const skip = whyNot(wanted, context);
	if (skip !== undefined)
		return hasProxy(pod) && skip.reason !== "OptedOut"
			? tooLate(skip)
			: skipped(pod, skip);
	const read = readSteering(
		wanted,
		context.settings,
		context.kubernetes.nativeSidecars,
	);
	if (!read.ok) return { kind: "refused", violations: read.violations };
	const { steering } = read;
	const skipSo = whyNotSo(wanted, steering);
	if (skipSo !== undefined) return skipped(pod, skipSo);
	return { kind: "injected", pod: injected(wanted, context, steering) };
}

/** What the Mesh wants of the pod, before anything is injected: so that its containers are treated as the pod's own. */
function withTemplate(pod: Json, { settings }: InjectionContext): Json {
	const originals = readOriginals(pod);
	const spec = recordIn(pod, "spec");
	const restored = ["containers", "initContainers"].reduce((to, field) => {
		const list = fieldOf(spec, field);
		return Array.isArray(list)
			? withField(to, field, restoreProbes(list, originals))
			: to;
	}, spec);
	const original = isRecord(fieldOf(pod, "spec"))
		? { ...pod, spec: restored }
		: pod;
	return strategicMerge(original, settings.template?.pod ?? {});
}

/** Asked again after another webhook: a pod with the proxies of two meshes, say, would have no network at all. */
function tooLate({ message }: Skip): Injection {
	return {
		kind: "refused",
		violations: [
			{
				path: "spec",
				message: `The pod was given a proxy, and then changed so that it must not have one. ${message}`,
			},
		],
	};
}

function hasProxy(pod: Json): boolean {
	const spec = recordIn(pod, "spec");
	return (
		isInjected(pod) &&
		[
			...recordsIn(spec, "initContainers"),
			...recordsIn(spec, "containers"),
		].some((one) => textIn(one, "name") === names.proxyContainer)
	);
}

function skipped(pod: Json, skip: Skip): Injection {
	return {
		kind: "skipped",
		skip,
		pod:
			skip.reason === "OptedOut"
				? pod
				: withMetadata(pod, "annotations", {
						[names.notInjectedAnnotation]: `${skip.reason}: ${skip.message}`,
					}),
	};
}

function injected(
	pod: Json,
	context: InjectionContext,
	steering: Steering,
): Json {
	const spec = recordIn(pod, "spec");
	const inits = rewriteIn(spec, "initContainers", steering);
	const apps = rewriteIn(spec, "containers", steering);
	const probes = [...inits.probes, ...apps.probes];
	const proxy = proxyContainer(context, steering, probes);
	const capture = strategicMerge(
		captureContainer(context.settings, steering),
		context.settings.template?.capture ?? {},
	);
	const isNative = steering.sidecar === "native";
	const containers = apps.containers.map((container) =>
		isRecord(container)
			? withStopDelay(container, spec, context, steering)
			: container,
	);
	const withContainers = {
		...spec,
		// A classic proxy starts after all of them, so they must not be captured.
		initContainers: isNative
			? place(inits.containers, [capture, proxy], "first")
			: place(inits.containers, [capture], "last"),
		// First, so that the kubelet waits for it before it starts the others.
		containers: isNative ? containers : place(containers, [proxy], "first"),
		volumes: placeVolume(listOf(spec["volumes"])),
	};
	return withMetadata(
		withMetadata({ ...pod, spec: withContainers }, "labels", {
			[names.injectedLabel]: context.version,
		}),
		"annotations",
		{
			[names.injectionAnnotation]: JSON.stringify({
				version: context.version,
				sidecar: steering.sidecar,
				probes: { ...inits.originals, ...apps.originals },
			}),
			[names.notInjectedAnnotation]: undefined,
		},
	);
}

function rewriteIn(
	spec: Json,
	field: "containers" | "initContainers",
	steering: Steering,
): RewrittenProbes {
	const all = listOf(spec[field]);
	if (!steering.rewritesProbes)
		return { containers: all, originals: {}, probes: [] };
	const counts = new Map<string, number>();
	for (const name of [
		...recordsIn(spec, "initContainers"),
		...recordsIn(spec, "containers"),
	].map((one) => textIn(one, "name")))
		counts.set(name, (counts.get(name) ?? 0) + 1);
	// Our own are asked as they are; what two have the name of is refused by the API server.
	const isLeft = (one: unknown): boolean => {
		const name = textIn(one, "name");
		return ourNames.includes(name) || counts.get(name) !== 1;
	};
	const rewritten = rewriteProbes(all.filter((one) => !isLeft(one)));
	const rest = rewritten.containers.values();
	return {
		...rewritten,
		containers: all.map((one) => (isLeft(one) ? one : rest.next().value)),
	};
}

const ourNames: readonly string[] = [
	names.captureContainer,
	names.proxyContainer,
];

/** Gives everybody time to learn that the pod goes before the container does. */
function withStopDelay(
	container: Json,
	spec: Json,
	{ kubernetes }: InjectionContext,
	steering: Steering,
): Json {
	const lifecycle = recordIn(container, "lifecycle");
	const policy = textIn(spec, "restartPolicy") || "Always";
	const graceSeconds = numberIn(spec, "terminationGracePeriodSeconds") ?? 30;
	const seconds = Math.min(
		steering.stopDelaySeconds,
		// The application itself needs time to stop, too.
		Math.floor(graceSeconds / 2),
	);
	const isOurs = ourNames.includes(textIn(container, "name"));
	if (
		isOurs ||
		policy !== "Always" ||
		seconds <= 0 ||
		// The application's image may have no program that waits.
		!kubernetes.sleepHooks ||
		isRecord(fieldOf(lifecycle, "preStop"))
	)
		return container;
	return {
		...container,
		lifecycle: { ...lifecycle, preStop: { sleep: { seconds } } },
	};
}

/** Puts our containers among others; those that are there already stay where and as they are, but for what changes with the pod. */
function place(
	all: readonly unknown[],
	ours: readonly Json[],
	where: "first" | "last",
): readonly unknown[] {
	const kept = all.map((one) => {
		const fresh = ours.find(({ name }) => name === fieldOf(one, "name"));
		return fresh === undefined || !isRecord(one) ? one : renewed(one, fresh);
	});
	const added = ours.filter(
		({ name }) => !all.some((one) => fieldOf(one, "name") === name),
	);
	return where === "first" ? [...added, ...kept] : [...kept, ...added];
}

/** Somebody may have changed our container on purpose, such as its image; arguments and rules follow from the rest of the pod. */
function renewed(present: Json, fresh: Json): Json {
	const args = fieldOf(fresh, "args");
	const rules = listOf(fresh["env"]).filter((variable) =>
		textIn(variable, "name").endsWith("_RULES"),
	);
	const merged =
		rules.length === 0 ? present : strategicMerge(present, { env: rules });
	return args === undefined ? merged : { ...merged, args };
}

function placeVolume(volumes: readonly unknown[]): readonly unknown[] {
	return volumes.some((one) => textIn(one, "name") === names.volume)
		? volumes
		: [...volumes, proxyVolume];
}

function readOriginals(pod: Json): OriginalHandlers {
	const annotations = recordIn(recordIn(pod, "metadata"), "annotations");
	let parsed: unknown;
	try {
		parsed = JSON.parse(textIn(annotations, names.injectionAnnotation));
	} catch {
		return {};
	}
	const probes = recordIn(parsed, "probes");
	return Object.fromEntries(
		Object.keys(probes).map((name) => [name, recordIn(probes, name)]),
	);
}

/** The pod with these labels or annotations; undefined takes one out. */
function withMetadata(
	pod: Json,
	field: "labels" | "annotations",
	entries: Readonly<Record<string, string | undefined>>,
): Json {
	const metadata = recordIn(pod, "metadata");
	let map = recordIn(metadata, field);
	for (const [key, value] of Object.entries(entries))
		map = withField(map, key, value);
	return { ...pod, metadata: { ...metadata, [field]: map } };
}

function listOf(value: unknown): readonly unknown[] {
	return Array.isArray(value) ? value : [];
}
