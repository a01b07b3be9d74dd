import { GrpcError, grpcStatus } from "../../lib/grpc-error.ts";
import type { Logger } from "../../observability/logger.ts";
import type { Proof } from "../proof.ts";
import type { Rejection, RequestOutcome } from "../protocol/delivery.ts";
import { emptyResponse } from "../protocol/frames.ts";
import type { ParsedRequest } from "../protocol/parse-request.ts";
import type { SentResource } from "../protocol/sent-resources.ts";
import type { StreamState } from "../protocol/stream-state.ts";
import type { Proxy } from "../proxy.ts";
import type { AttachedProxy } from "../proxy-directory.ts";
import type { ProxyResources } from "../proxy-resources.ts";
import type { Resource } from "../resource.ts";
import { type ResourceType, sendOrder } from "../resource-type.ts";
import type { AdsLimits, AdsOptions } from "./ads-options.ts";
import type {
	ConnectedProxy,
	LastRejection,
	TypeStatus,
} from "./connected-proxies.ts";
import type { FirstSyncs } from "./first-syncs.ts";

/** What differs between the two kinds of stream. */
export interface StreamVariant<State extends StreamState, Request> {
	readonly variant: "delta" | "sotw";
	parse(bytes: Uint8Array): ParsedRequest<Request> | undefined;
	/** @param isProven whether a proxy like this one has accepted the resource before */
	begin(
		resources: ProxyResources,
		nowMs: number,
		isProven: (resource: Resource) => boolean,
	): State;
	take(state: State, request: Request, nowMs: number): RequestOutcome;
}

/** What all streams of one service share. */
export interface SharedByStreams {
	readonly options: AdsOptions;
	readonly limits: AdsLimits;
	readonly proof: Proof;
	readonly firstSyncs: FirstSyncs;
	/** Types that were asked for in vain; each is reported once. */
	readonly unserved: Set<string>;
}

/** A stream that asks for more different types than exist is answered no more. */
const maxUnservedTypes = 16;

/** A proxy that did not answer for everything within this time counts all the same, as one that lacks things. */
const countedAfterMs = 15_000;

/** Refused resources of which the proxy's words are kept before it is asked which still count. */
const maxStaleWords = 64;

/** Names of a rejected response that are logged. */
const loggedNames = 10;

/** One stream of a proxy that has proven who it is: joins its state with those who want to know about it. */
export class ServedStream<State extends StreamState, Request>
	implements ConnectedProxy
{
	readonly proxy: Proxy;
	readonly variant: "delta" | "sotw";
	readonly address: string;
	readonly connectedAtMs: number;
	readonly #kind: StreamVariant<State, Request>;
	readonly #shared: SharedByStreams;
	readonly #log: Logger;
	/** Notes what changed in the resources, answers what the stream wants to know. */
	readonly state: State;
	readonly #attached: AttachedProxy;
	readonly #stopWaiting: () => void;
	readonly #onCounted: () => void;
	#isCounted = false;
	readonly #rejections = new Map<ResourceType, LastRejection>();
	/** What it said to each resource that it refused alone, by type and name; looked up only while it is still refused. */
	readonly #condemned = new Map<string, string>();
	readonly #answeredUnserved = new Set<string>();
	/** Answers that are not about resources; bounded by the number of types. */
	readonly #answers: (readonly Uint8Array[])[] = [];

	constructor(
		kind: StreamVariant<State, Request>,
		shared: SharedByStreams,
		from: {
			readonly proxy: Proxy;
			readonly address: string;
			readonly attached: AttachedProxy;
			readonly log: Logger;
			/** Is told when the proxy has had everything for the first time, or has had long enough. */
			readonly onCounted: () => void;
		},
	) {
		const { clock } = shared.options;
		this.#kind = kind;
		this.#shared = shared;
		this.#log = from.log;
		this.proxy = from.proxy;
		this.variant = kind.variant;
		this.address = from.address;
		this.connectedAtMs = clock.nowMs();
		this.#attached = from.attached;
		this.#onCounted = from.onCounted;
		this.state = kind.begin(
			from.attached.resources,
			clock.monotonicMs(),
			(resource) => shared.proof.has(from.proxy, resource),
		);
		this.#stopWaiting = clock.after(countedAfterMs, () => this.#count());
	}

	/** The stream has ended; nothing may be asked of it but what the proxy had. */
	end(): void {
		this.#stopWaiting();
		this.#attached.release();
	}

	/** Takes a request. Fails when it asks for too much; then with a `GrpcError`. */
	take(message: ParsedRequest<Request>): void {
		if (message.request === undefined) {
			this.#answerUnserved(message.typeUrl);
			return;
		}
		const { clock, connected, figures } = this.#shared.options;
		const outcome = this.#kind.take(
			this.state,
			message.request,
			clock.monotonicMs(),
		);
		if (outcome.op === "refused") {
			throw new GrpcError(grpcStatus.resourceExhausted, outcome.reason);
		}
		const { resumed, acknowledged, rejected } = outcome;
		for (const accepted of [resumed, acknowledged]) {
			if (accepted === undefined) continue;
			this.#shared.proof.note(this.proxy, accepted.resources);
		}
		if (resumed !== undefined && resumed.resources.length > 0) {
			connected.note({ op: "acknowledged", on: this, delivery: resumed });
		}
		if (acknowledged !== undefined) {
			figures?.acknowledged(acknowledged.type);
			connected.note({
				op: "acknowledged",
				on: this,
				delivery: acknowledged,
			});
		}
		if (rejected !== undefined) this.#noteRejection(rejected);
		this.#tellHeld();
		if (!this.#isCounted && this.state.isSettled) this.#count();
	}

	/** The next message that can be written now, or undefined when there is none. */
	next(): readonly Uint8Array[] | undefined {
		const answer = this.#answers.shift();
		if (answer !== undefined) return answer;
		const { clock, figures } = this.#shared.options;
		const outgoing = this.state.next(clock.monotonicMs());
		this.#tellHeld();
		if (outgoing === undefined) return undefined;
		figures?.sent(outgoing.type, outgoing.count, lengthOf(outgoing.parts));
		return outgoing.parts;
	}

	types(): readonly TypeStatus[] {
		const statuses: TypeStatus[] = [];
		for (const type of sendOrder) {
			const subscribed = this.state.subscribed(type);
			if (subscribed === undefined) continue;
			let sent = 0;
			let acknowledged = 0;
			for (const resource of this.state.sentResources(type)) {
				if (resource.sent === undefined) continue;
				sent += 1;
				if (resource.sent === resource.acknowledged) acknowledged += 1;
			}
			const lastRejection = this.#rejections.get(type);
			statuses.push({ type, ...subscribed, sent, acknowledged, lastRejection });
		}
		return statuses;
	}

	resources(type: ResourceType): Iterable<SentResource> {
		return this.state.sentResources(type);
	}

	acknowledged(type: ResourceType): Iterable<Resource> {
		return this.state.acknowledged(type);
	}

	#tellHeld(): void {
		const changes = this.state.takeHeldChanges();
		if (changes === undefined || !this.#isCounted) return;
		const { gained, lost, filled } = changes;
		for (const set of filled)
			for (const { version } of set.values()) gained.push(version);
		this.#attached.held(gained, lost);
	}

	/** From now on the status of objects waits for this proxy. */
	#count(): void {
		if (this.#isCounted) return;
		this.#isCounted = true;
		this.#stopWaiting();
		this.#onCounted();
		const { state } = this;
		this.#attached.count({
			version: (type, name) => state.heldVersion(type, name),
			lacked: (type, all) => state.lacked(type, all),
			rejection: (type, name) => {
				const version = state.rejectedVersion(type, name);
				const message = this.#condemned.get(`${type} ${name}`);
				return version === undefined || message === undefined
					? undefined
					: { version, message };
			},
		});
	}

	#answerUnserved(typeUrl: string): void {
		const answered = this.#answeredUnserved;
		if (answered.has(typeUrl) || answered.size >= maxUnservedTypes) return;
		answered.add(typeUrl);
		this.#answers.push(emptyResponse(typeUrl, this.state.nextNonce()));
		const { unserved } = this.#shared;
		if (unserved.has(typeUrl) || unserved.size >= maxUnservedTypes) return;
		unserved.add(typeUrl);
		this.#log.warn("A proxy asked for a type that is not served", { typeUrl });
	}

	#noteRejection(rejection: Rejection): void {
		const { clock, connected, figures } = this.#shared.options;
		const { type, message } = rejection;
		const names = [
			...rejection.resources.map(({ name }) => name),
			...rejection.removed,
		];
		this.#rejections.set(type, { message, names, atMs: clock.nowMs() });
		figures?.rejected(type);
		const { condemned } = rejection;
		const fields = { type, reason: message };
		if (condemned.length === 0 && names.length > 0) {
			this.#log.debug(
				"A proxy rejected a response; its parts are sent again one by one",
				{ ...fields, resources: names.length },
			);
		} else {
			this.#log.warn("A proxy rejected a response", {
				...fields,
				names: names.slice(0, loggedNames),
				resources: names.length,
			});
		}
		this.#forgetMended();
		for (const { name } of condemned) {
			this.#condemned.set(`${type} ${name}`, message);
		}
		connected.note({ op: "rejected", on: this, rejection });
		this.#attached.rejected(condemned);
	}

	/** Words about what is no longer refused go, before they become many. */
	#forgetMended(): void {
		if (this.#condemned.size < maxStaleWords) return;
		for (const key of this.#condemned.keys()) {
			const type = sendOrder.find((one) => key.startsWith(`${one} `));
			if (type === undefined) continue;
			const name = key.slice(type.length + 1);
			if (this.state.rejectedVersion(type, name) === undefined) {
				this.#condemned.delete(key);
			}
		}
	}
}

function lengthOf(parts: readonly Uint8Array[]): number {
	let bytes = 0;
	for (const part of parts) bytes += part.length;
	return bytes;
}
