import type { Objects } from "../api/objects.ts";
import { textOf } from "./json-fields.ts";
import type { StatusKind } from "./status-kinds.ts";
import type { WatchLine } from "./watch-server.ts";

/** Which objects with a status are meant. */
export interface StatusSelection {
	/** Undefined for all kinds. */
	readonly kind: StatusKind | undefined;
	/** Undefined for all namespaces; objects without one are always meant. */
	readonly namespace: string | undefined;
	/** Undefined for all of them. */
	readonly name: string | undefined;
}

/** Names one object of any kind. */
export interface ObjectName {
	readonly kind: string;
	readonly namespace: string;
	readonly name: string;
}

/** What is to change in what the log lets through, as the admin API takes it. */
export interface LogLevelChange {
	readonly default?: string;
	/** By part; null for the level of all others. */
	readonly parts: Readonly<Record<string, string | null>>;
}

/** What one server says about its log. */
export interface ServerLogLevels {
	/** Its name among the replicas; empty for a server that is asked directly. */
	readonly replica: string;
	readonly levels: unknown;
}

/**
 * A control plane as commands see it: one server that is asked directly, or
 * all replicas of a Kubernetes cluster. Answers have the form that
 * docs/admin-api.md describes, whoever gives them.
 *
 * Fails when: nobody answers, or the answer is no; then with a `CodedError` that says who was asked.
 */
export interface ControlPlane extends AsyncDisposable {
	readonly mode: "direct" | "cluster";
	/** Of whatever is named without one. */
	readonly namespace: string;
	/** What is missing in the answers so far, as full sentences. */
	readonly missing: readonly string[];
	/**
	 * Objects with their status, as they are now.
	 *
	 * Fails when: one is named and there is none; then with `CLI_NOT_FOUND`.
	 */
	statuses(selection: StatusSelection): Promise<readonly unknown[]>;
	/**
	 * Every change of them, until the signal or the server ends it.
	 *
	 * @param tell hears what is in the way meanwhile, as full sentences, where it goes on by itself
	 */
	watchStatuses(
		selection: StatusSelection,
		options: {
			readonly signal?: AbortSignal | undefined;
			readonly tell: (sentence: string) => void;
		},
	): AsyncGenerator<WatchLine>;
	/** The same, but it goes on when the server comes back: what is as it was is not told again. */
	followStatuses(
		selection: StatusSelection,
		tell: (sentence: string) => void,
	): AsyncGenerator<WatchLine>;
	/** What happened to objects of a namespace, or of all; the one noted longest ago first. */
	events(namespace: string | undefined): Promise<readonly unknown[]>;
	/** Every connected proxy. */
	proxies(): Promise<readonly unknown[]>;
	/** One of them, or its resources of a type. */
	proxy(name: string, type: string | undefined): Promise<unknown>;
	/** Everything that a proxy is to have and has. */
	snapshot(name: string, withBytes: boolean): Promise<unknown>;
	/** The objects that a mesh is made of and that files are laid over; undefined where files are all there is. */
	objects(): Promise<Objects | undefined>;
	/** The resources of all connected proxies that come from an object. */
	why(object: ObjectName): Promise<unknown>;
	/** What the log of every server lets through, after a change if there is one. */
	logLevels(
		change: LogLevelChange | undefined,
	): Promise<readonly ServerLogLevels[]>;
}

/** Whether an object, or what is left of its name, is meant. */
export function isSelected(
	{ kind, namespace, name }: StatusSelection,
	object: unknown,
): boolean {
	return (
		(kind === undefined || textOf(object, "kind") === kind.kind) &&
		(namespace === undefined ||
			["", namespace].includes(textOf(object, "namespace"))) &&
		(name === undefined || textOf(object, "name") === name)
	);
}
