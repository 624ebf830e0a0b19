/* Written by make_transport_fixtures.py with POT 0.8.2 and SciPy 1.10.1. */
static const struct {
  unsigned seed;
  size_t n, m, d;
  int weighted, clusters;
  double squared;
} fixture_exact[] = {
    {1, 40, 40, 2, 0, 0, 0.019846623634556335},
    {2, 30, 47, 3, 1, 0, 0.10276120630965274},
    {3, 25, 31, 1, 1, 0, 0.010492987387658219},
    {4, 60, 60, 10, 0, 0, 0.65383006587602721},
    {5, 300, 250, 2, 1, 1, 1.8362269111711134},
    {6, 1000, 1000, 2, 0, 1, 1.5589323008096254},
    {7, 700, 900, 2, 0, 0, 0.0030152752353546199},
    {8, 400, 400, 6, 1, 0, 0.13538624494874327},
    {9, 4, 700, 2, 1, 0, 0.19405037107081458},
    {10, 500, 300, 1, 0, 1, 0.17458857255357635},
};

static const struct {
  unsigned seed;
  size_t bins;
  int counts;
  double squared;
} fixture_grid[] = {
    {11, 8, 0, 1.4568464433285531},
    {12, 16, 1, 0.28068303221921104},
    {13, 33, 0, 0.077556364273191944},
};

static const struct {
  unsigned seed;
  size_t d;
  double squared;
} fixture_gaussian[] = {
    {21, 1, 0.3591649584210827},
    {22, 2, 2.0488433606358551},
    {23, 7, 4.7048986261628745},
};
