import type { KubeConnection, KubeRequest } from "./connection.ts";
import { type Asked, errorOf } from "./error-of.ts";
import {
	type KubeObject,
	type KubePage,
	parseKubeObject,
	parseKubePage,
} from "./kube-object.ts";
import { OversizedAnswer, readBounded, readFailure } from "./read-bounded.ts";
import {
	apiVersionOf,
	collectionPath,
	type KubeResource,
	objectPath,
} from "./resources.ts";

/** Names one object of a resource; the namespace is empty for cluster-scoped kinds. */
export interface ObjectPlace {
	readonly namespace: string;
	readonly name: string;
}

/** What is to be said about an object by server-side apply. */
export interface Application {
	readonly resource: KubeResource;
	readonly at: ObjectPlace;
	/** Who says it: fields that the same manager said before and does not now are taken back. At most 128 characters. */
	readonly manager: string;
	/** Everything but `apiVersion`, `kind`, `metadata.name` and `metadata.namespace`, which follow from the above. */
	readonly fields: Readonly<Record<string, unknown>>;
	/** Labels, annotations and owner references to be said. */
	readonly metadata?: Readonly<Record<string, unknown>>;
	/** `status`, to say the status and nothing else. */
	readonly subresource?: string;
	/** The version that must still be current, and the object that it must be; else `KUBE_CONFLICT`. */
	readonly seen?: {
		readonly resourceVersion: string;
		readonly uid: string;
	};
	/** Takes fields over that others have said; true by default, as Kubernetes asks of controllers. */
	readonly force?: boolean;
}

/** How a request is made. */
export interface RequestOptions {
	/** Time for the whole answer. Milliseconds; 15 s by default. */
	readonly timeoutMs?: number;
	readonly signal?: AbortSignal;
	/** Asks for `metadata` only; the content of the answer has nothing else then. */
	readonly metadataOnly?: boolean;
}

/** Objects on a page by default: of 20 KB each, 10 MB. */
const pageSize = 500;

const defaultTimeoutMs = 15_000;

const metadataAccept =
	"application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const metadataListAccept =
	"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/**
 * Reads and writes single objects.
 *
 * Fails when: the server says no, with the `KubeError` that its answer means; no
 *   answer comes in time, with `KUBE_UNREACHABLE` or `KUBE_SILENT`. Writes are
 *   strict: a field that the kind does not have is refused.
 */
export class ObjectClient {
	readonly #connection: KubeConnection;

	constructor(connection: KubeConnection) {
		this.#connection = connection;
	}

	/** The object as it is now. */
	async get(
		resource: KubeResource,
		at: ObjectPlace,
		options: RequestOptions = {},
	): Promise<KubeObject> {
		const text = await this.#ask(
			{
				method: "GET",
				path: objectPath(resource, at),
				...(options.metadataOnly && { accept: metadataAccept }),
			},
			{ verb: "get", resource, ...at },
			options,
		);
		return parseKubeObject(text);
	}

	/** One page of the objects of a namespace, or of all when it is empty. */
	async list(
		resource: KubeResource,
		query: {
			readonly namespace?: string;
			readonly limit?: number;
			/** `next` of the page before. */
			readonly from?: string | undefined;
			readonly labelSelector?: string;
			readonly fieldSelector?: string;
		},
		options: RequestOptions = {},
	): Promise<KubePage> {
		const namespace = query.namespace ?? "";
		const text = await this.#ask(
			{
				method: "GET",
				path: collectionPath(resource, namespace),
				query: {
					limit: String(query.limit ?? pageSize),
					...(query.from !== undefined && { continue: query.from }),
					...(query.labelSelector !== undefined && {
						labelSelector: query.labelSelector,
					}),
					...(query.fieldSelector !== undefined && {
						fieldSelector: query.fieldSelector,
					}),
				},
				...(options.metadataOnly && { accept: metadataListAccept }),
			},
			{ verb: "list", resource, namespace },
			options,
		);
		return parseKubePage(text);
	}

	/**
	 * All objects of a namespace, or of all when it is empty, page by page. A page that is too large to be read is asked for again in a
	 * smaller one.
	 *
	 * Fails when: as above; after `KUBE_EXPIRED` it is to be started again.
	 */
	async *listAll(
		resource: KubeResource,
		query: {
			readonly namespace?: string;
			readonly labelSelector?: string;
			readonly fieldSelector?: string;
		} = {},
		options: RequestOptions = {},
	): AsyncGenerator<KubeObject, void, undefined> {
		let limit = pageSize;
		let from: string | undefined;
		for (;;) {
			let page: KubePage;
			try {
				page = await this.list(resource, { ...query, limit, from }, options);
			} catch (error) {
				if (!(error instanceof OversizedAnswer) || limit === 1) throw error;
				limit = Math.max(1, Math.floor(limit / 8));
				continue;
			}
			yield* page.items;
			from = page.next;
			if (from === undefined) return;
		}
	}

	/** Says something about an object, which is made when it does not exist; answers the object as it is now. */
	async apply(
		application: Application,
		options: RequestOptions = {},
	): Promise<KubeObject> {
		const { resource, at, manager, subresource, seen } = application;
		const text = await this.#ask(
			{
				method: "PATCH",
				path: objectPath(resource, at, subresource),
				query: {
					fieldManager: manager,
					force: String(application.force ?? true),
					fieldValidation: "Strict",
				},
				contentType: "application/apply-patch+yaml",
				body: JSON.stringify({
					apiVersion: apiVersionOf(resource),
					kind: resource.kind,
					metadata: {
						...application.metadata,
						name: at.name,
						...(resource.isNamespaced && { namespace: at.namespace }),
						...seen,
					},
					...application.fields,
				}),
				...(options.metadataOnly && { accept: metadataAccept }),
			},
			{
				verb: "patch",
				resource,
				...at,
				...(subresource !== undefined && { subresource }),
			},
			options,
		);
		return parseKubeObject(text);
	}

	/** Says the whole status of an object that exists. */
	applyStatus(
		application: Omit<Application, "subresource" | "fields"> & {
			readonly status: unknown;
		},
		options: RequestOptions = {},
	): Promise<KubeObject> {
		const { status, ...rest } = application;
		return this.apply(
			{ ...rest, subresource: "status", fields: { status } },
			options,
		);
	}

	/**
	 * Changes some fields of an object by a JSON merge patch; null removes a field.
	 *
	 * Expects: `metadata.resourceVersion` among the fields where the change must not meet another.
	 */
	async merge(
		resource: KubeResource,
		at: ObjectPlace,
		fields: Readonly<Record<string, unknown>>,
		options: RequestOptions & {
			readonly manager?: string;
			readonly subresource?: string;
		} = {},
	): Promise<KubeObject> {
		const { subresource } = options;
		const text = await this.#ask(
			{
				method: "PATCH",
				path: objectPath(resource, at, subresource),
				query: strict(options.manager),
				contentType: "application/merge-patch+json",
				body: JSON.stringify(fields),
			},
			{
				verb: "patch",
				resource,
				...at,
				...(subresource !== undefined && { subresource }),
			},
			options,
		);
		return parseKubeObject(text);
	}

	/**
	 * Makes a new object.
	 *
	 * @param object whole but for `apiVersion` and `kind`
	 */
	async create(
		resource: KubeResource,
		namespace: string,
		object: Readonly<Record<string, unknown>>,
		options: RequestOptions & { readonly manager?: string } = {},
	): Promise<KubeObject> {
		const text = await this.#ask(
			{
				method: "POST",
				path: collectionPath(resource, namespace),
				query: strict(options.manager),
				body: withType(resource, object),
			},
			{ verb: "create", resource, namespace },
			options,
		);
		return parseKubeObject(text);
	}

	/**
	 * Puts a whole object in the place of the present one.
	 *
	 * @param object whole but for `apiVersion` and `kind`; with `metadata.resourceVersion`, the present one must be that
	 */
	async replace(
		resource: KubeResource,
		at: ObjectPlace,
		object: Readonly<Record<string, unknown>>,
		options: RequestOptions & { readonly manager?: string } = {},
	): Promise<KubeObject> {
		const text = await this.#ask(
			{
				method: "PUT",
				path: objectPath(resource, at),
				query: strict(options.manager),
				body: withType(resource, object),
			},
			{ verb: "update", resource, ...at },
			options,
		);
		return parseKubeObject(text);
	}

	/** Deletes an object; answers false when there is none. With a uid, only that very object. */
	async delete(
		resource: KubeResource,
		at: ObjectPlace,
		options: RequestOptions & { readonly uid?: string } = {},
	): Promise<boolean> {
		const asked: Asked = { verb: "delete", resource, ...at };
		const answer = await this.#send(
			{
				method: "DELETE",
				path: objectPath(resource, at),
				body: JSON.stringify({
					apiVersion: "v1",
					kind: "DeleteOptions",
					propagationPolicy: "Background",
					...(options.uid !== undefined && {
						preconditions: { uid: options.uid },
					}),
				}),
			},
			options,
		);
		if (answer.status === 404) return false;
		if (answer.status >= 400) throw errorOf(answer, asked);
		return true;
	}

	async #ask(
		request: KubeRequest,
		asked: Asked,
		options: RequestOptions,
	): Promise<string> {
		const answer = await this.#send(request, options);
		if (answer.status >= 400) throw errorOf(answer, asked);
		return answer.text;
	}

	async #send(
		request: KubeRequest,
		{ timeoutMs = defaultTimeoutMs, signal }: RequestOptions,
	): Promise<{
		readonly status: number;
		readonly headers: ReadonlyMap<string, string>;
		readonly text: string;
	}> {
		const response = await this.#connection.request(
			{ ...request, timeoutMs, silenceMs: timeoutMs },
			signal ?? new AbortController().signal,
		);
		const { status, headers, body } = response;
		const text =
			status >= 400 ? await readFailure(body) : await readBounded(body);
		return { status, headers, text };
	}
}

function strict(manager: string | undefined): Record<string, string> {
	return {
		fieldValidation: "Strict",
		...(manager !== undefined && { fieldManager: manager }),
	};
}

function withType(
	resource: KubeResource,
	object: Readonly<Record<string, unknown>>,
): string {
	return JSON.stringify({
		apiVersion: apiVersionOf(resource),
		kind: resource.kind,
		...object,
	});
}
