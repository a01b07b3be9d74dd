import { FractionalPercent_DenominatorType } from "../../gen/envoy/envoy/type/v3/percent_pb.js";

/** A percentage of 0–100 as Envoy's fraction, exact to four decimal places. */
export function fractionalPercent(percent: number): {
	numerator: number;
	denominator: FractionalPercent_DenominatorType;
} {
	return {
		numerator: Math.round(percent * 10_000),
		denominator: FractionalPercent_DenominatorType.MILLION,
	};
}
