import { ComparisonFilter_Op } from "../../gen/envoy/envoy/config/accesslog/v3/accesslog_pb.js";
import type {
	LocalReplyConfigSchema,
	ResponseMapperSchema,
} from "../../gen/envoy/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import type { Init } from "./init.ts";
import { notDeliveredHeader } from "./retry-conditions.ts";

type LocalReplies = Init<typeof LocalReplyConfigSchema>;
type Mapper = Init<typeof ResponseMapperSchema>;

/** Names the cluster whose endpoints are missing, where Envoy says only "no healthy upstream". */
const noEndpoint: Mapper = {
	filter: {
		filterSpecifier: {
			case: "andFilter",
			value: {
				filters: [
					{
						filterSpecifier: {
							case: "statusCodeFilter",
							value: {
								comparison: {
									op: ComparisonFilter_Op.EQ,
									value: {
										defaultValue: 503,
										runtimeKey: "lateen.no_endpoint_status",
									},
								},
							},
						},
					},
					{
						filterSpecifier: {
							case: "responseFlagFilter",
							value: { flags: ["UH", "NC"] },
						},
					},
				],
			},
		},
	},
	bodyFormatOverride: {
		format: {
			case: "textFormatSource",
			value: {
				specifier: {
					case: "inlineString",
					value:
						"No endpoint to answer this request: %UPSTREAM_CLUSTER_RAW% (route %ROUTE_NAME%).\n",
				},
			},
		},
	},
};

/** `UF`: no connection came about. */
const notDelivered: Mapper = {
	filter: {
		filterSpecifier: {
			case: "responseFlagFilter",
			value: { flags: ["UF"] },
		},
	},
	headersToAdd: [{ header: { key: notDeliveredHeader, value: "true" } }],
};

/** What Envoy says in its own answers towards whoever calls from elsewhere. */
export const localReplies: LocalReplies = { mappers: [noEndpoint] };

/** The same beside an application. */
export const inboundLocalReplies: LocalReplies = {
	mappers: [noEndpoint, notDelivered],
};
