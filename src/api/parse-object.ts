/**
 * The one way in: every object, from whatever source and for whatever use, is
 * parsed here.
 *
 *   unknown ─▶ JSON value ─▶ metadata ─▶ schema, defaults ─▶ CEL rules ─▶ checks ─▶ object
 *
 * All steps report into one list, and a step goes on with what the one before
 * left in order, so that a person is told everything at once.
 */
import * as externalServiceSchema from "../gen/crd/external-service.schema.js";
import * as meshSchema from "../gen/crd/mesh.schema.js";
import * as routeRuleSchema from "../gen/crd/route-rule.schema.js";
import { checkCelRules } from "./check-cel-rules.ts";
import { checkExternalService } from "./check-external-service.ts";
import { checkMesh } from "./check-mesh.ts";
import { checkRouteRule } from "./check-route-rule.ts";
import { checkSchema } from "./check-schema.ts";
import { cloneJson } from "./clone-json.ts";
import { printPath } from "./field-path.ts";
import { Fields, isRecord } from "./fields.ts";
import type { Metadata } from "./metadata.ts";
import type { ApiObject, InvalidObject, Kind } from "./objects.ts";
import { parseEndpointSlice, parsePod, parseService } from "./parse-core.ts";
import type { NameForm } from "./parse-metadata.ts";
import { parseMetadata } from "./parse-metadata.ts";
import { printValue } from "./print-value.ts";
import { removeRefused } from "./remove-refused.ts";
import type { Report } from "./report.ts";
import type { Schema } from "./schema.ts";
import type { Violation } from "./violation.ts";

/** What became of a value that should be an API object. */
export type ParsedObject =
	| { readonly kind: "object"; readonly object: ApiObject }
	| { readonly kind: "invalid"; readonly invalid: InvalidObject }
	/** An object of a kind that is not read. */
	| {
			readonly kind: "ignored";
			readonly apiVersion: string;
			readonly kindName: string;
	  };

/**
 * Parses, fills in defaults and validates.
 *
 * Guarantees: never throws, whatever the value; leaves the value as it is; names
 *   every violation at once; Envoy accepts what becomes of an object that is
 *   accepted here.
 */
export function parseObject(value: unknown): ParsedObject {
	const cloned = cloneJson(value);
	if (cloned.kind === "refused") {
		const violation = {
			path: printPath(cloned.path),
			message: cloned.message,
		};
		return invalid(nameRoughly(value), 1, [violation]);
	}
	const object = cloned.value;
	if (!isRecord(object)) {
		return refuseWhole(
			`An API object must be an object with apiVersion, kind, metadata and spec, but this is ${printValue(object)}.`,
		);
	}
	const { apiVersion, kind } = object;
	if (typeof apiVersion !== "string" || typeof kind !== "string") {
		return refuseWhole(
			"An API object must have apiVersion and kind. Add them, such as apiVersion: lateen.dev/v1alpha1 and kind: RouteRule.",
		);
	}
	if (
		!isKind(kind) ||
		groupOf(apiVersion) !== groupOf(KINDS[kind].apiVersion)
	) {
		return { kind: "ignored", apiVersion, kindName: kind };
	}
	return parseKnown(kind, apiVersion, object);
}

type Parsed<K extends Kind> = Omit<
	Extract<ApiObject, { readonly kind: K }>,
	"kind" | "metadata"
>;

interface KindParser<K extends Kind> {
	readonly apiVersion: string;
	readonly isNamespaced: boolean;
	readonly nameForm: NameForm;
	/** Everything but metadata, right when nothing was reported. */
	readonly parse: (
		object: Readonly<Record<string, unknown>>,
		report: Report,
	) => Parsed<K>;
}

const OURS = "lateen.dev/v1alpha1";

const KINDS: { readonly [K in Kind]: KindParser<K> } = {
	EndpointSlice: {
		apiVersion: "discovery.k8s.io/v1",
		isNamespaced: true,
		nameForm: "subdomain",
		parse: (object, report) =>
			parseEndpointSlice(new Fields(object, [], report)),
	},
	ExternalService: {
		apiVersion: OURS,
		isNamespaced: true,
		nameForm: "subdomain",
		parse: (object, report) =>
			parseSpec(externalServiceSchema, object, checkExternalService, report),
	},
	Mesh: {
		apiVersion: OURS,
		isNamespaced: false,
		nameForm: "subdomain",
		parse: (object, report) => parseSpec(meshSchema, object, checkMesh, report),
	},
	Namespace: {
		apiVersion: "v1",
		isNamespaced: false,
		nameForm: "label",
		parse: () => ({}),
	},
	Node: {
		apiVersion: "v1",
		isNamespaced: false,
		nameForm: "subdomain",
		parse: () => ({}),
	},
	Pod: {
		apiVersion: "v1",
		isNamespaced: true,
		nameForm: "subdomain",
		parse: (object, report) => parsePod(new Fields(object, [], report)),
	},
	RouteRule: {
		apiVersion: OURS,
		isNamespaced: true,
		nameForm: "subdomain",
		parse: (object, report) =>
			parseSpec(routeRuleSchema, object, checkRouteRule, report),
	},
	Service: {
		apiVersion: "v1",
		isNamespaced: true,
		nameForm: "label",
		parse: (object, report) => parseService(new Fields(object, [], report)),
	},
	ServiceAccount: {
		apiVersion: "v1",
		isNamespaced: true,
		nameForm: "subdomain",
		parse: () => ({}),
	},
};

function parseKnown(
	kind: Kind,
	apiVersion: string,
	object: Readonly<Record<string, unknown>>,
): ParsedObject {
	const parser = KINDS[kind];
	const violations: Violation[] = [];
	const report: Report = (path, message) => {
		violations.push({ path: printPath(path), message });
	};
	if (apiVersion !== parser.apiVersion) {
		report(
			["apiVersion"],
			`${printValue(apiVersion)} is not a version of ${kind} that is read. Write ${parser.apiVersion}.`,
		);
	}
	const metadata = parseMetadata(object, parser, report);
	const parsed = parser.parse(object, report);
	if (violations.length > 0) {
		const { namespace, name, generation } = { ...metadata };
		return invalid({ kind, namespace, name }, generation, violations);
	}
	return { kind: "object", object: assemble(kind, metadata, parsed) };
}

/** The fields of a kind and its name come from one entry of `KINDS`, which the compiler cannot follow. */
function assemble(
	kind: Kind,
	metadata: Metadata,
	parsed: Parsed<Kind>,
): ApiObject {
	return { kind, metadata, ...parsed } as ApiObject;
}

/** Everything that is wrong with one of our own kinds, and its `spec` with defaults. */
function parseSpec<Spec>(
	schema: Schema,
	object: Readonly<Record<string, unknown>>,
	check: (spec: Partial<Spec>, report: Report) => void,
	report: Report,
): { readonly spec: Spec } {
	const refused = checkSchema(schema, object, report);
	checkCelRules(schema, object, refused, report);
	removeRefused(schema, object, refused);
	const { spec } = object as { readonly spec: Spec };
	if (isRecord(spec)) check(spec as Partial<Spec>, report);
	return { spec };
}

function refuseWhole(message: string): ParsedObject {
	return invalid(NAMELESS, 1, [{ path: "", message }]);
}

const NAMELESS = { kind: "", namespace: "", name: "" };

function invalid(
	ref: InvalidObject["ref"],
	generation: number,
	violations: readonly Violation[],
): ParsedObject {
	return { kind: "invalid", invalid: { ref, generation, violations } };
}

/** The name of an object too large or too odd to look through. */
function nameRoughly(value: unknown): InvalidObject["ref"] {
	if (!isRecord(value)) return NAMELESS;
	const { kind, metadata } = value;
	if (typeof kind !== "string" || !isKind(kind)) return NAMELESS;
	const { namespace, name } = isRecord(metadata) ? metadata : {};
	const isNamed = typeof namespace === "string" && namespace !== "";
	return {
		kind,
		namespace: !KINDS[kind].isNamespaced ? "" : isNamed ? namespace : "default",
		name: typeof name === "string" ? name : "",
	};
}

function isKind(name: string): name is Kind {
	return Object.hasOwn(KINDS, name);
}

function groupOf(apiVersion: string): string {
	const slash = apiVersion.indexOf("/");
	return slash === -1 ? "" : apiVersion.slice(0, slash);
}
